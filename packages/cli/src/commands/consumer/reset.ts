import type { ResetResult, ResetTarget } from "@tidemark/core/positions";
import { InvalidArgumentError, type Command } from "commander";
import { contextOf, type CommandContext } from "../../context/command-context.ts";
import { say } from "../../context/standard-streams.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { counted } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import {
  collectName,
  collectPartition,
  parseName,
  parseOffset,
  parseShift,
  parsePositiveDuration,
} from "../option-values.ts";
import type { ResetTargetOptions } from "./reset/reset-target.ts";

interface ResetOptions extends ResetTargetOptions {
  readonly topic?: readonly string[];
  readonly partition?: readonly number[];
  readonly execute?: boolean;
}

/** `tidemark consumer reset NAME`. */
export function addConsumerResetCommand(consumer: Command): void {
  consumer
    .command("reset")
    .description(
      "Reset the positions of a consumer, forward or back. Shows a plan, and writes it only with --execute; processes that read under the name continue from the new position, or stop if they run with --takeover.",
    )
    .argument("<name>", "the consumer's name; exactly this one", parseName)
    .option(
      "-t, --topic <name>",
      "all partitions of this topic, may repeat (default: those that the consumer has positions on)",
      collectName,
    )
    .option("-p, --partition <number>", "only this partition, may repeat", collectPartition)
    .option("--to-earliest", "to the first record that the log has")
    .option("--to-latest", "to the end")
    .option("--to-offset <offset>", "to this offset", parseOffset)
    .option("--shift-by <number>", "by this many offsets: 10 forward, -10 back", parseShift)
    .option("--to-datetime <moment>", "to the first record at or after this time: 2026-01-31T08:00:00Z", parseText)
    .option("--by-duration <duration>", "to the first record of the last 24h, 90s, PT12H", parsePositiveDuration)
    .option("--to-current", "to the current position; on partitions without a position, to the end")
    .option("--undo", "back to the position before the last reset; a second --undo reverts the first")
    .option("--execute", "write it")
    .addHelpText(
      "after",
      `
Exactly one of --to-earliest, --to-latest, --to-offset, --shift-by, --to-datetime, --by-duration, --to-current and --undo.
An offset outside of the log becomes the log's nearest end, with a warning; a time later than all records is the end.
--shift-by and --to-current do not write a position that has moved since they read it: stop the consumer first.
TTLs are kept; metadata is removed if the position changes. -O json writes a plan that consumer import reads.
--undo takes back the last reset of each position, also one by an import or a reset policy, however far the
consumer has read since; consumer list --partitions shows where it was. Partitions without a reset are not changed. Metadata is not restored.
The other verbs are those of Kafka's kafka-consumer-groups --reset-offsets.
${examples(
  "consumer reset billing --topic orders --to-earliest",
  "consumer reset billing --by-duration 24h --execute",
  "consumer reset billing -t orders -p 0 -p 3 --shift-by -100 --execute",
  "consumer reset billing -t orders --to-datetime 2026-01-31T08:00:00Z -O json > plan.json",
  "consumer reset billing --undo",
)}`,
    )
    .action(async (name: string, options: ResetOptions, command: Command) => {
      const { resetTargetOf } = await import("./reset/reset-target.ts");
      const target = resetTargetOf(options, say);
      const context = await contextOf(command);
      await reset(context, name, options, target);
    });
}

async function reset(
  context: CommandContext,
  consumer: string,
  { topic: topics, partition: partitions, execute = false }: ResetOptions,
  to: ResetTarget,
): Promise<void> {
  const { applyReset, planReset } = await import("@tidemark/core/positions");
  const { resetCells, resetDocument, resetHeadings } = await import("./reset/reset-document.ts");
  const { planLines } = await import("./reset/plan-lines.ts");
  const { ownerLines } = await import("./owner-lines.ts");
  const { withNearTopic } = await import("../near-topic.ts");
  const { showingProgress } = await import("./showing-progress.ts");
  const { formatTable } = await import("../../output/table.ts");
  await using log = await context.openLogThatIsThere();
  await using store = await context.openStoreThatIsThere();
  const plan = await withNearTopic(log, () => planReset({ store, log, consumer, topics, partitions, to }));
  for (const line of planLines(plan)) say(line);
  const { results, failure } = execute
    ? await showingProgress("written", (doing) => applyReset({ store, plan, ...doing }))
    : {
        results: plan.resets.map((planned): ResetResult => ({ ...planned, status: "planned", current: undefined })),
        failure: undefined,
      };
  const columns = { isUndo: to === "undo", isExecuted: execute };
  const now = Date.now();
  await context.printRows(
    results,
    (row) => resetDocument(consumer, row),
    () =>
      formatTable(
        resetHeadings(columns),
        results.map((row) => resetCells(row, columns, now)),
      ),
  );
  const touched = execute ? results.filter(({ status }) => status === "written") : results;
  for (const line of ownerLines(
    touched.map(({ owner }) => owner),
    execute,
  ))
    say(line);
  if (!execute) return say("nothing was written: this is a plan; add --execute to write it");
  if (failure !== undefined) {
    // Without a written position the same command again is the same reset.
    const advice =
      touched.length === 0 && results.every(({ status }) => status === "moved") ? AGAIN : adviceAfterFailure(to);
    throw new CommandFailure(`${failure.message}; ${advice}`, { cause: failure });
  }
  say(`${counted(touched.length, "position")} written`);
}

const AGAIN = "run the command again";

function adviceAfterFailure(to: ResetTarget): string {
  const others = "name the others with --topic and --partition";
  if (typeof to === "object" && "shiftBy" in to)
    return `running the command again would shift the written positions once more: ${others}`;
  if (to === "undo") return `running the command again would revert the written positions: ${others}`;
  return AGAIN;
}

function parseText(text: string): string {
  if (text === "") throw new InvalidArgumentError("It must not be empty.");
  return text;
}
