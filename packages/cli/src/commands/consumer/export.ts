import type { OffsetFilter, OffsetRecord } from "@tidemark/core";
import type { Command } from "commander";
import { contextOf, type CommandContext } from "../../context/command-context.ts";
import { requireOpenOutput } from "../../context/closed-output.ts";
import { say, writeToStandardOutput } from "../../context/standard-streams.ts";
import { BrokenPipe } from "../../failure/broken-pipe.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { UsageError } from "../../failure/usage-error.ts";
import type { GlobalOptions } from "../../settings/settings.ts";
import { counted } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import { collectName } from "../option-values.ts";
import { selectionText } from "./position-selection.ts";

interface ExportOptions {
  readonly topic?: readonly string[];
  readonly csv?: boolean;
}

/** `tidemark consumer export [NAME]...`. */
export function addConsumerExportCommand(consumer: Command): void {
  consumer
    .command("export")
    .description(
      "Write positions to standard output, one JSON document a line, for consumer import: as a backup, or to move them to another store.",
    )
    .argument("[name...]", "the consumers' names (default: all)", collectName)
    .option("-t, --topic <name>", "only on this topic, may repeat (default: on all)", collectName)
    .option("--csv", "in the format of Kafka's kafka-consumer-groups --reset-offsets --from-file")
    .addHelpText(
      "after",
      `
Written are position, metadata and TTL. Claims, owners and times belong to the store, and stay there; so do what
consumer reset --undo goes back to, what is acknowledged beyond the position, and the marks of the log.
The order is the store's own: sort two exports before you compare them.
CSV has neither metadata nor TTL: topic,partition,offset if one name is given, else group,topic,partition,offset.
${examples(
  "consumer export > positions.jsonl",
  "consumer export billing --topic orders | tidemark consumer import --store redis://cache.example.com --execute",
  "consumer export billing --csv > plan.csv",
)}`,
    )
    .action(async (names: readonly string[], options: ExportOptions, command: Command) => {
      const { output } = command.optsWithGlobals<GlobalOptions>();
      if (output !== undefined && output !== "json") {
        throw new UsageError(`consumer export writes one JSON document a line, or --csv, not ${output}`);
      }
      requireOpenOutput("the positions would be lost; redirect it to a file");
      await exportPositions(await contextOf(command), [...new Set(names)], options);
    });
}

/** What was come across. */
interface Tally {
  exported: number;
  claimed: number;
  withoutPosition: number;
  /** With a line break in a name, or metadata or a TTL: CSV cannot have them. */
  brokenNames: number;
  stripped: number;
}

async function exportPositions(
  context: CommandContext,
  names: readonly string[],
  { topic: topics, csv = false }: ExportOptions,
): Promise<void> {
  const { csvLine, jsonLine } = await import("./position-text.ts");
  const { createTextOutput } = await import("./text-output.ts");
  const { reportProgress } = await import("../progress.ts");
  const { OffsetStoreError } = await import("@tidemark/core");
  await using store = await context.openStoreThatIsThere();
  const progress = reportProgress("exported", { noun: "position", isShownItself: true });
  const output = createTextOutput(writeToStandardOutput);
  const tally: Tally = { exported: 0, claimed: 0, withoutPosition: 0, brokenNames: 0, stripped: 0 };
  const missing: string[] = [];
  let unreadable: Error | undefined;
  let failure: { readonly error: unknown } | undefined;
  try {
    for (const name of names.length === 0 ? [undefined] : names) {
      let found = 0;
      for (const filter of filtersOf(name, topics)) {
        try {
          for await (const record of store.list(filter)) {
            found += 1;
            const { nextOffset } = record;
            if (record.owner !== undefined) tally.claimed += 1;
            if (nextOffset === undefined) {
              tally.withoutPosition += 1;
              continue;
            }
            tally.exported += 1;
            progress.update(tally.exported);
            if (csv) note(tally, record);
            const full = output.add(
              csv ? csvLine(record, nextOffset, names.length !== 1) : jsonLine(record, nextOffset),
            );
            if (full !== undefined) await full;
          }
        } catch (error) {
          // One record that cannot be read must not keep the others back: it is named after them.
          if (!(error instanceof OffsetStoreError) || error.operation !== "list" || error.keys.length === 0)
            throw error;
          found += error.keys.length;
          unreadable ??= error;
        }
      }
      if (found === 0 && name !== undefined) missing.push(name);
    }
  } catch (error) {
    failure = { error };
  }
  try {
    // Also what came before a failure.
    await output.end();
  } catch (error) {
    failure ??= { error };
  }
  progress.end();
  // That the reader has left hides no failure.
  if (failure?.error instanceof BrokenPipe && unreadable !== undefined) throw unreadable;
  if (failure !== undefined) throw failure.error;
  // Where all names are mistyped, only that is reported.
  if (names.length === 0 || missing.length < names.length) for (const line of tallyLines(tally, csv)) say(line);
  if (unreadable !== undefined) throw unreadable;
  const [first] = missing;
  if (first === undefined) return;
  const only = topics?.length === 1 && topics[0] !== undefined ? { topic: topics[0] } : {};
  const more = missing.length > 1 ? `, nor have ${missing.length - 1} more` : "";
  throw new CommandFailure(`${selectionText(first, only)}${more}`);
}

function filtersOf(consumer: string | undefined, topics: readonly string[] | undefined): OffsetFilter[] {
  const ofConsumer = consumer === undefined ? {} : { consumer };
  if (topics === undefined) return [ofConsumer];
  return [...new Set(topics)].map((topic) => ({ ...ofConsumer, topic }));
}

function note(tally: Tally, { consumer, topic, metadata, ttl }: OffsetRecord): void {
  if (/[\r\n]/.test(consumer + topic)) tally.brokenNames += 1;
  if (metadata !== "" || ttl !== undefined) tally.stripped += 1;
}

function tallyLines({ exported, claimed, withoutPosition, brokenNames, stripped }: Tally, csv: boolean): string[] {
  const lines = [`${counted(exported, "position")} exported; claims (${claimed}), owners and times are not exported`];
  if (withoutPosition > 0)
    lines.push(`left out: ${counted(withoutPosition, "partition")} claimed without a position yet`);
  if (csv && stripped > 0)
    lines.push(`left out: metadata or TTL of ${counted(stripped, "position")}, CSV has no place for them`);
  if (csv && brokenNames > 0) {
    lines.push(
      `warning: ${counted(brokenNames, "position")} with a line break in a name: consumer import reads them, Kafka's tool does not`,
    );
  }
  return lines;
}
