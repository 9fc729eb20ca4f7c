import { assert } from "../assert.ts";
import { LogSourceError, type LogSourceErrorCode } from "../../errors/log-source-error.ts";
import { OffsetOutOfRangeError } from "../../errors/offset-out-of-range-error.ts";
import type { FetchRequest, LogRecord, LogSource, RecordInput } from "../../log-source.ts";

/** Milliseconds that a fetch of records which are there already may wait for them. */
export const PATIENCE_MS = 10_000;

/** A record whose value is a text. */
export function textRecord(text: string, timestampMs?: number): RecordInput {
  return { value: Buffer.from(text), timestampMs };
}

/** The text of a record's value. */
export function textOf(record: LogRecord): string | null {
  return record.value && Buffer.from(record.value).toString();
}

/** A fetch from offset 0 of partition 0 that does not wait, with the given changes. */
export function fetchOf(topic: string, changes: Partial<FetchRequest> = {}): FetchRequest {
  return { topic, partition: 0, offset: 0n, maxBytes: 1_048_576, maxWait: 0, ...changes };
}

/** Reads on, fetch by fetch, until there are `count` records. */
export async function readRecords(
  source: LogSource,
  topic: string,
  count: number,
  changes: Partial<FetchRequest> = {},
): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  let { offset = 0n } = changes;
  while (records.length < count) {
    const result = await source.fetch(fetchOf(topic, { maxWait: PATIENCE_MS, ...changes, offset }));
    assert.ok(
      result.nextOffset > offset,
      `a fetch at offset ${offset} gave nothing although ${count - records.length} more records were written`,
    );
    const last = result.records.at(-1);
    if (last !== undefined) assert.ok(result.nextOffset > last.offset, "nextOffset must lie after the last record");
    records.push(...result.records);
    offset = result.nextOffset;
  }
  return records;
}

/** Asserts that a call rejects with a `LogSourceError` of this code, and gives it. */
export async function rejectsWithCode(call: Promise<unknown>, code: LogSourceErrorCode): Promise<LogSourceError> {
  const error = await rejectionOf(call);
  assert.ok(error instanceof LogSourceError, `rejected with ${String(error)}, not with a LogSourceError`);
  assert.equal(error.code, code);
  return error;
}

/** Asserts that a call rejects with an `OffsetOutOfRangeError` of these offsets, and of this reason. */
export async function rejectsOutOfRange(
  call: Promise<unknown>,
  expected: Pick<OffsetOutOfRangeError, "requested" | "earliest" | "latest" | "reason"> & {
    readonly divergedAt?: bigint;
  },
): Promise<void> {
  const error = await rejectionOf(call);
  assert.ok(
    error instanceof OffsetOutOfRangeError,
    `rejected with ${String(error)}, not with an OffsetOutOfRangeError`,
  );
  const { requested, earliest, latest, reason, divergedAt } = error;
  assert.deepEqual(
    { requested, earliest, latest, reason, divergedAt },
    { ...expected, divergedAt: expected.divergedAt },
  );
}

/** What a call rejects with; that it resolves is an `AssertionError`. */
export async function rejectionOf(call: Promise<unknown>): Promise<unknown> {
  try {
    await call;
  } catch (error) {
    return error;
  }
  assert.fail("the call resolved; it should have rejected");
}
