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
      "Move the positions of a consumer, also back. Shows what would change and writes nothing, unless --execute is given; then whoever is reading under its name stops.",
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
    .option("--shift-by <number>", "by so many offsets: 10 on, -10 back", parseShift)
    .option("--to-datetime <moment>", "to the first record not older: 2026-01-31T08:00:00Z", parseText)
    .option(
      "--by-duration <duration>",
      "to the first record not older than so long ago: 24h, 90s, PT12H",
      parsePositiveDuration,
    )
    .option("--to-current", "to where it is; on partitions that it has no position on, to the end")
    .option("--undo", "back to where the last reset found it; a second --undo takes that back")
    .option("--execute", "write it")
    .addHelpText(
      "after",
      `
Exactly one of --to-earliest, --to-latest, --to-offset, --shift-by, --to-datetime, --by-duration, --to-current and --undo.
What lies outside of the log goes to its nearest end, with a warning. No record as late as was asked: the end.
A position's TTL stays; its metadata goes, unless the position stays too. -O json makes a plan that consumer import takes.
--undo takes back the last reset of each position, whoever made it (this command, an import, a reset policy), however far the
consumer has read since; consumer list --partitions shows where it was. Partitions without a reset are left alone. Metadata does not return.
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
    : { results: plan.resets.map((planned): ResetResult => ({ ...planned, status: "planned" })), failure: undefined };
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
  if (!execute) return say("nothing is written: this is a plan, and --execute writes it");
  if (failure !== undefined) {
    throw new CommandFailure(`${failure.message}; ${adviceAfterFailure(to)}`, { cause: failure });
  }
  say(`${counted(touched.length, "position")} written`);
}

function adviceAfterFailure(to: ResetTarget): string {
  const others = "name the others with --topic and --partition";
  if (typeof to === "object" && "shiftBy" in to) return `run again it would shift what is written once more: ${others}`;
  if (to === "undo") return `run again it would take back what is written: ${others}`;
  return "run the command again";
}

function parseText(text: string): string {
  if (text === "") throw new InvalidArgumentError("It must not be empty.");
  return text;
}
