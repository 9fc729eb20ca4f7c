import type { LogRecord } from "@tidemark/core";
import { loadYaml } from "../../output/yaml.ts";
import type { OutputFormat } from "../../output/output-format.ts";
import { visibleLines } from "../../text/visible-text.ts";

/** Gives the bytes that show a record. */
export type RecordEncoder = (record: LogRecord) => Uint8Array;

/** What `-O json` and `-O yaml` show of a record. */
interface RecordDocument {
  readonly topic: string;
  readonly key: string | Base64 | null;
  readonly value: string | Base64 | null;
  readonly partition: number;
  readonly offset: string;
  /** In ISO 8601; beyond what that can say, the milliseconds as the log has them. Absent: the record has none. */
  readonly timestamp?: string;
  /** Names may repeat. */
  readonly headers: readonly { readonly name: string; readonly value: string | Base64 | null }[];
}

/** Bytes that are not text: as text they would come back as others. */
interface Base64 {
  readonly base64: string;
}

/**
 * Makes the encoder of a format: as a table a record is its value's bytes and a line break, as JSON one object on a line,
 * as YAML one document.
 */
export async function createRecordEncoder(format: OutputFormat): Promise<RecordEncoder> {
  switch (format) {
    case "table":
      return encodeValue;
    case "json":
      return (record) => Buffer.from(`${visibleLines(JSON.stringify(recordDocument(record)))}\n`);
    case "yaml": {
      const formatYaml = await loadYaml();
      return (record) => Buffer.from(`---\n${formatYaml(recordDocument(record))}`);
    }
  }
}

function encodeValue({ value }: LogRecord): Uint8Array {
  const length = value?.length ?? 0;
  const line = Buffer.allocUnsafe(length + 1);
  if (value !== null) line.set(value);
  line[length] = 0x0a;
  return line;
}

function recordDocument(record: LogRecord): RecordDocument {
  const { topic, key, value, partition, offset, timestampMs, headers } = record;
  return {
    topic,
    key: textOf(key),
    value: textOf(value),
    partition,
    offset: String(offset),
    ...(timestampMs !== NO_TIMESTAMP_MS && { timestamp: timestampText(timestampMs) }),
    headers: headers.map((header) => ({ name: header.name, value: textOf(header.value) })),
  };
}

function timestampText(timestampMs: number): string {
  return Math.abs(timestampMs) <= LARGEST_DATE_MS ? new Date(timestampMs).toISOString() : String(timestampMs);
}

/** What Kafka has where a record was written without one, by clients from before 0.10. */
const NO_TIMESTAMP_MS = -1;

/** Some write nanoseconds, or microseconds, where milliseconds belong. */
const LARGEST_DATE_MS = 8_640_000_000_000_000;

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array | null): string | Base64 | null {
  if (bytes === null) return null;
  try {
    return decoder.decode(bytes);
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") };
  }
}
