import type { ImportChange, ImportedPosition, ImportResult } from "@tidemark/core/positions";
import type { Command } from "commander";
import { contextOf, type CommandContext } from "../../context/command-context.ts";
import { say } from "../../context/standard-streams.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { messageOf } from "../../failure/report-failure.ts";
import { counted } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import { parseName } from "../option-values.ts";

interface ImportOptions {
  readonly consumer?: string;
  readonly overwrite?: boolean;
  readonly execute?: boolean;
}

/** `tidemark consumer import [FILE]`. */
export function addConsumerImportCommand(consumer: Command): void {
  consumer
    .command("import")
    .description(
      "Import positions from consumer export, consumer reset -O json, or Kafka's own tool. Shows a plan, and writes it only with --execute; processes that read a position that is written continue from there, or stop if they run with --takeover.",
    )
    .argument("[file]", 'the file, or "-" for standard input', "-")
    .option("-c, --consumer <name>", "the consumer's name, for CSV without a column group", parseName)
    .option("--overwrite", "also move positions back (default: a position ahead of the input is kept)")
    .option("--execute", "write it")
    .addHelpText(
      "after",
      `
Reads one JSON document a line, a JSON list, or Kafka's CSV: topic,partition,offset or group,topic,partition,offset.
All of the input is checked before anything is written. A position that is as it should be is not written, so that the same
import again changes nothing and disturbs no process. TTLs start again. Stop the consumers of both stores first.
${examples(
  "consumer import positions.jsonl",
  "consumer import positions.jsonl --store redis://cache.example.com --execute",
  "consumer import kafka-plan.csv --consumer billing --execute",
)}`,
    )
    .action(async (file: string, options: ImportOptions, command: Command) => {
      await importPositions(await contextOf(command), file, options);
    });
}

async function importPositions(
  context: CommandContext,
  file: string,
  { consumer, overwrite, execute = false }: ImportOptions,
): Promise<void> {
  const { applyImport, planImport } = await import("@tidemark/core/positions");
  const { importCells, importDocument, importHeadings } = await import("./import/import-document.ts");
  const { ownerLines } = await import("./owner-lines.ts");
  const { showingProgress } = await import("./showing-progress.ts");
  const { formatTable } = await import("../../output/table.ts");
  const positions = await read(file, consumer);
  await using store = await (execute ? context.openStore() : context.openStoreOrEmpty());
  const { results, failure } = await showingProgress(execute ? "looked at or written" : "looked at", (doing) =>
    (execute ? applyImport : planImport)({ store, positions, overwrite, ...doing }),
  );
  await context.printRows(results, importDocument, () =>
    formatTable(
      importHeadings(execute),
      results.map((row) => importCells(row, execute)),
    ),
  );
  const touched = results.filter(({ status }) => status === (execute ? "written" : "planned"));
  for (const line of ownerLines(
    touched.map(({ owner }) => owner),
    execute,
  ))
    say(line);
  for (const line of summaryLines(results)) say(line);
  if (failure !== undefined) {
    const advice = execute ? "; run the command again: positions already written are not changed" : "";
    throw new CommandFailure(`${failure.message}${advice}`, { cause: failure });
  }
  say(
    execute
      ? `${counted(touched.length, "position")} written`
      : "nothing was written: this is a plan; add --execute to write it",
  );
}

async function read(file: string, consumer: string | undefined): Promise<ImportedPosition[]> {
  const { readPositions } = await import("./import/read-positions.ts");
  const { reportProgress } = await import("../progress.ts");
  const progress = reportProgress("read", { noun: "position" });
  const onProgress = (count: number): void => progress.update(count);
  try {
    if (file !== "-") {
      return await readPositions({ input: fileChunks(file), consumer, onProgress });
    }
    const { readStandardInput } = await import("../produce/standard-input.ts");
    const input = readStandardInput();
    try {
      return await readPositions({ input: input.chunks, consumer, onProgress });
    } finally {
      input.close();
    }
  } finally {
    progress.end();
  }
}

async function* fileChunks(file: string): AsyncGenerator<Uint8Array, void, undefined> {
  const { createReadStream } = await import("node:fs");
  try {
    for await (const chunk of createReadStream(file)) yield chunk as Uint8Array;
  } catch (error) {
    throw new CommandFailure(`the input cannot be read: ${messageOf(error)}`, { cause: error });
  }
}

const SUMMARY: readonly (readonly [ImportChange, string])[] = [
  ["new", "new"],
  ["forward", "forward"],
  ["back", "back"],
  ["settings", "with another TTL or other metadata"],
  ["same", "already the same"],
  ["ahead", "ahead of the input and kept (--overwrite moves them back)"],
  ["unreadable", "unreadable in the target"],
];

function summaryLines(rows: readonly ImportResult[]): string[] {
  const counts = new Map<ImportChange | undefined, number>();
  for (const { change } of rows) counts.set(change, (counts.get(change) ?? 0) + 1);
  const parts = SUMMARY.flatMap(([change, text]) => {
    const count = counts.get(change) ?? 0;
    return count > 0 ? [`${count} ${text}`] : [];
  });
  const lines = parts.length === 0 ? [] : [`${counted(rows.length, "position")}: ${parts.join(", ")}`];
  const mortal = rows.filter(({ ttl, change }) => typeof ttl === "number" && change !== "same" && change !== "ahead");
  if (mortal.length > 0) lines.push(`the TTL of ${counted(mortal.length, "position")} starts again`);
  return lines;
}
