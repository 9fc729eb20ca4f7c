import type { LogRecord } from "@tidemark/core";
import type { OutputFormat } from "../../output/output-format.ts";

/** Gives the bytes that show a record. */
export type RecordEncoder = (record: LogRecord) => Uint8Array;

/** What `-O json` and `-O yaml` show of a record. */
interface RecordDocument {
  readonly key: string | Base64 | null;
  readonly value: string | Base64 | null;
  readonly partition: number;
  readonly offset: string;
  readonly timestamp: string;
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
      return (record) => Buffer.from(`${JSON.stringify(recordDocument(record))}\n`);
    case "yaml": {
      const { stringify } = await import("yaml");
      return (record) => Buffer.from(`---\n${stringify(recordDocument(record), { lineWidth: 0 })}`);
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

function recordDocument({ key, value, partition, offset, timestampMs }: LogRecord): RecordDocument {
  return {
    key: textOf(key),
    value: textOf(value),
    partition,
    offset: String(offset),
    timestamp: new Date(timestampMs).toISOString(),
  };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function textOf(bytes: Uint8Array | null): string | Base64 | null {
  if (bytes === null) return null;
  try {
    return decoder.decode(bytes);
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") };
  }
}
