import { type ImportedPosition, parsePosition } from "@tidemark/core/positions";
import { CommandFailure } from "../../../failure/command-failure.ts";
import { messageOf } from "../../../failure/report-failure.ts";
import { UsageError } from "../../../failure/usage-error.ts";
import { textLines, type TextLine } from "./text-lines.ts";

/** A list in one piece is read as one: longer than this it could not be. */
const LONGEST_ARRAY_CHARACTERS = 256 * 1024 * 1024;

/** What is read. */
export interface ReadPositionsOptions {
  readonly input: AsyncIterable<Uint8Array>;
  /** Whom the positions belong to, where the input does not say it: CSV without the group. */
  readonly consumer: string | undefined;
  readonly onProgress: (positionCount: number) => void;
}

/**
 * Reads positions to the end of the input, all of them before any is used: one JSON document a line, as `consumer export`
 * writes them; a list of them, as `-O json` writes it; or Kafka's CSV. What waits in memory is their fields.
 *
 * @throws CommandFailure that names the line and what is wrong with it, or that there is none.
 * @throws UsageError if the input does not say whose positions they are, and `consumer` does not, or both do.
 */
export async function readPositions({
  input,
  consumer,
  onProgress,
}: ReadPositionsOptions): Promise<ImportedPosition[]> {
  const positions: ImportedPosition[] = [];
  const places = new Map<string, string | number>();
  const add = (place: string | number, toPosition: () => ImportedPosition): void => {
    const position = at(place, toPosition);
    const { consumer: name, topic, partition } = position;
    // A name's length before it: no two keys run into one.
    const identity = `${name.length}/${name}${partition}/${topic}`;
    const before = places.get(identity);
    if (before !== undefined) throw wrong(place, `the same consumer, topic and partition are in ${placeText(before)}`);
    places.set(identity, place);
    positions.push(position);
    onProgress(positions.length);
  };
  const addDocument = (place: string | number, toDocument: () => unknown): void => {
    if (consumer !== undefined) throw new UsageError("--consumer is for CSV: the input names its consumers itself");
    add(place, () => parsePosition(toDocument()));
  };

  const lines = textLines(input);
  const first = await firstLines(lines);
  switch (first.find(({ text }) => text.trim() !== "")?.text.trimStart()[0]) {
    case undefined:
      break;
    case "{":
      for await (const { text, number } of each(first, lines)) {
        if (text.trim() !== "") addDocument(number, () => JSON.parse(text) as unknown);
      }
      break;
    case "[":
      for (const [index, document] of (await readArray(each(first, lines))).entries()) {
        addDocument(`entry ${index + 1}`, () => document);
      }
      break;
    default:
      await readCsv(each(first, lines), (number, fields) => add(number, () => positionOf(fields, consumer)));
  }
  if (positions.length === 0) throw new CommandFailure("the input has no positions");
  return positions;
}

/** Lines up to the first that is not blank. */
async function firstLines(lines: AsyncGenerator<TextLine[], void, undefined>): Promise<TextLine[]> {
  const found: TextLine[] = [];
  for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
    found.push(...next.value);
    if (next.value.some(({ text }) => text.trim() !== "")) break;
  }
  return found;
}

async function* each(
  first: readonly TextLine[],
  rest: AsyncIterable<readonly TextLine[]>,
): AsyncGenerator<TextLine, void, undefined> {
  yield* first;
  for await (const lines of rest) yield* lines;
}

async function readArray(lines: AsyncIterable<TextLine>): Promise<readonly unknown[]> {
  const texts: string[] = [];
  let length = 0;
  for await (const { text } of lines) {
    texts.push(text);
    length += text.length;
    if (length > LONGEST_ARRAY_CHARACTERS) {
      throw new CommandFailure(
        "the input is too long for one list: write one document on each line, as consumer export does",
      );
    }
  }
  let list: unknown;
  try {
    list = JSON.parse(texts.join("\n"));
  } catch (error) {
    throw new CommandFailure(`the input is not JSON: ${messageOf(error)}; nothing was written`, { cause: error });
  }
  return list as unknown[];
}

async function readCsv(
  lines: AsyncIterable<TextLine>,
  onFields: (number: number, fields: readonly string[]) => void,
): Promise<void> {
  const { Readable } = await import("node:stream");
  const { pipeline } = await import("node:stream/promises");
  const { CsvError, parse } = await import("csv-parse");
  const parser = parse({
    info: true,
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: 65_536,
    // Found out by itself it would be that of the first line, and the last one may have none.
    record_delimiter: ["\r\n", "\n"],
  });
  async function* texts(): AsyncGenerator<string, void, undefined> {
    for await (const { text } of lines) yield `${text}\n`;
  }
  try {
    await pipeline(Readable.from(texts()), parser, async (records) => {
      for await (const { record, info } of records as AsyncIterable<CsvRecord>) onFields(info.lines, record);
    });
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    throw wrong(Number(error["lines"] ?? 1), `neither JSON nor CSV: ${error.message}`, error);
  }
}

interface CsvRecord {
  readonly record: readonly string[];
  readonly info: { readonly lines: number };
}

function positionOf(fields: readonly string[], consumer: string | undefined): ImportedPosition {
  switch (fields.length) {
    case 3:
      if (consumer !== undefined) return positionOfFields(consumer, fields);
      throw new UsageError("lines topic,partition,offset have no consumer: give its name with --consumer");
    case 4:
      if (consumer === undefined) return positionOfFields(fields[0] ?? "", fields.slice(1));
      throw new UsageError("--consumer is for lines topic,partition,offset: the input names its consumers itself");
    default:
      throw new TypeError(
        `neither a JSON document nor topic,partition,offset nor group,topic,partition,offset; ${fields.length} fields`,
      );
  }
}

/** Of a line of CSV, without the group. */
function positionOfFields(
  consumer: string,
  [topic, partition = "", nextOffset = ""]: readonly string[],
): ImportedPosition {
  if (/^partition$/i.test(partition)) throw new TypeError("it is a header line: remove it, Kafka's CSV has none");
  if (!/^\d{1,10}$/.test(partition))
    throw new TypeError(`partition must be a whole number, not ${JSON.stringify(partition.slice(0, 40))}`);
  return parsePosition({ consumer, topic, partition: Number(partition), nextOffset });
}

function at<Result>(place: string | number, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError) {
      throw wrong(place, messageOf(error), error);
    }
    throw error;
  }
}

function wrong(place: string | number, what: string, cause?: unknown): CommandFailure {
  return new CommandFailure(`${placeText(place)} of the input: ${what}; nothing was written`, { cause });
}

function placeText(place: string | number): string {
  return typeof place === "number" ? `line ${place}` : place;
}
