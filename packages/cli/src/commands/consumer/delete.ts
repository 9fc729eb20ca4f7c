import type { OffsetStore } from "@tidemark/core";
import type { Command } from "commander";
import { contextOf } from "../../context/command-context.ts";
import { confirm } from "../../context/confirm.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { counted, quoted } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import { parseName } from "../option-values.ts";
import { deletedLines } from "./deleted-lines.ts";
import { listAll } from "./list-all.ts";
import { comparePositions } from "./position-order.ts";
import { placeLookedAt } from "./place-looked-at.ts";
import { filterOf, selectionText, withPositionSelection, type PositionSelection } from "./position-selection.ts";

interface ConfirmOptions {
  readonly yes?: boolean;
}

/** `tidemark consumer delete NAME`. */
export function addConsumerDeleteCommand(consumer: Command): void {
  withPositionSelection(
    consumer
      .command("delete")
      .description(
        "Delete the positions of a consumer. Processes that read under its name start over, or stop if they run with --takeover.",
      )
      .argument("<name>", "the consumer's name; exactly this one", parseName),
  )
    .option("--yes", "do not ask for confirmation (without a terminal it never asks)")
    .addHelpText(
      "after",
      examples(
        "consumer delete billing",
        "consumer delete billing --topic orders --yes",
        "consumer delete billing --topic orders --partition 0",
      ),
    )
    .action(async (name: string, options: PositionSelection & ConfirmOptions, command: Command) => {
      const context = await contextOf(command);
      await using store = await context.openStoreThatIsThere();
      if (options.yes !== true) await confirm(() => questionOf(store, name, options));
      const keys = (await store.delete(filterOf(name, options))).toSorted(comparePositions);
      await context.print(keys, () => deletedLines(keys));
      if (keys.length === 0)
        throw new CommandFailure(`nothing deleted: ${selectionText(name, options)}${placeLookedAt(context.settings)}`);
    });
}

async function questionOf(store: OffsetStore, name: string, options: PositionSelection): Promise<string | undefined> {
  const { records, unreadable } = await listAll(store, filterOf(name, options));
  const count = records.length + unreadable.length;
  if (count === 0) return undefined;
  const owners = new Set(records.flatMap(({ owner }) => (owner === undefined ? [] : [owner])));
  const broken = unreadable.length === 0 ? "" : `, of which ${unreadable.length} cannot be read`;
  const stopped = owners.size === 0 ? "" : `, which ${[...owners].map(quoted).join(", ")} reads`;
  return `delete ${counted(count, "position")} of consumer ${quoted(name)}${broken}${stopped}?`;
}
