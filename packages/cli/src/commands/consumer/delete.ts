import type { Command } from "commander";
import { contextOf } from "../../context/command-context.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { examples } from "../examples.ts";
import { parseName } from "../option-values.ts";
import { deletedLines } from "./deleted-lines.ts";
import { comparePositions } from "./position-order.ts";
import { placeLookedAt } from "./place-looked-at.ts";
import { filterOf, selectionText, withPositionSelection, type PositionSelection } from "./position-selection.ts";

/** `tidemark consumer delete NAME`. */
export function addConsumerDeleteCommand(consumer: Command): void {
  withPositionSelection(
    consumer
      .command("delete")
      .description("Remove the positions of a consumer. Whoever is reading under its name stops.")
      .argument("<name>", "the consumer's name; exactly this one", parseName),
  )
    .addHelpText(
      "after",
      examples(
        "consumer delete billing",
        "consumer delete billing --topic orders",
        "consumer delete billing --topic orders --partition 0",
      ),
    )
    .action(async (name: string, options: PositionSelection, command: Command) => {
      const context = await contextOf(command);
      await using store = await context.openStore();
      const keys = (await store.delete(filterOf(name, options))).toSorted(comparePositions);
      await context.print(keys, () => deletedLines(keys));
      if (keys.length === 0)
        throw new CommandFailure(`nothing deleted: ${selectionText(name, options)}${placeLookedAt(context.settings)}`);
    });
}
