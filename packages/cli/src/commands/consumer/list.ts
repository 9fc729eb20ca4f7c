import type { Command } from "commander";
import { contextOf } from "../../context/command-context.ts";
import { say } from "../../context/standard-streams.ts";
import { formatTable } from "../../output/table.ts";
import { examples } from "../examples.ts";
import { once, parseName } from "../option-values.ts";
import { findPositions } from "./find-positions.ts";
import { placeLookedAt } from "./place-looked-at.ts";
import { positionHeadings, positionRow } from "./position-document.ts";

/** `tidemark consumer list`. */
export function addConsumerListCommand(consumer: Command): void {
  consumer
    .command("list")
    .description(
      "List the stored positions: the offset of the next record to read, how many records lie beyond it, and the time until it expires. RESET FROM, shown if one was reset, is where the last reset found it.",
    )
    .option("-t, --topic <name>", "only those on this topic", once(parseName))
    .addHelpText("after", examples("consumer list", "consumer list --topic orders", "consumer list -O json"))
    .action(async ({ topic }: { topic?: string }, command: Command) => {
      const context = await contextOf(command);
      const { positions, unreadable } = await findPositions(context, topic === undefined ? {} : { topic });
      const { settings } = context;
      if (positions.length === 0 && settings.output === "table") return say(`no consumers${placeLookedAt(settings)}`);
      const now = Date.now();
      const hasResets = positions.some(({ resetFrom }) => resetFrom !== undefined);
      await context.print(positions, () =>
        formatTable(
          positionHeadings(hasResets),
          positions.map((position) => positionRow(position, hasResets, now)),
        ),
      );
      if (unreadable !== undefined) throw unreadable;
    });
}
