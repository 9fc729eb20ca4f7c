import type { FetchRequest, ListOffsetsEntry, RecordInput, TopicAlteration } from "@tidemark/core";
import { MAX_NAME_BYTES, MAX_OFFSET, MAX_PARTITION } from "@tidemark/core/driver";

/** The most partitions that a topic can have. */
export const MAX_PARTITION_COUNT = 10_000;

/** Refuses a topic's name that no log of this repository takes, with a `TypeError`. */
export function checkTopic(topic: string): void {
  if (typeof topic !== "string") throw new TypeError(`topic must be a string, not ${typeof topic}`);
  const bytes = Buffer.byteLength(topic);
  if (bytes === 0 || bytes > MAX_NAME_BYTES || !topic.isWellFormed()) {
    throw new TypeError(
      `topic must be 1 to ${MAX_NAME_BYTES} bytes of well-formed UTF-8, not ${JSON.stringify(topic)}`,
    );
  }
}

/** Refuses what cannot be a partition's number. */
export function checkPartition(partition: number): void {
  checkWhole("partition", partition, 0, MAX_PARTITION);
}

/** Refuses what cannot be an offset. */
export function checkOffset(what: string, offset: bigint): void {
  if (typeof offset !== "bigint") throw new TypeError(`${what} must be a bigint, not ${typeof offset}`);
  if (offset < 0n || offset > MAX_OFFSET) throw new RangeError(`${what} must be from 0 to 2^63 - 1, not ${offset}`);
}

/** Refuses a fetch that makes no sense. */
export function checkFetch({ topic, partition, offset, maxBytes, maxWait }: FetchRequest): void {
  checkTopic(topic);
  checkPartition(partition);
  checkOffset("offset", offset);
  checkWhole("maxBytes", maxBytes, 1, Number.MAX_SAFE_INTEGER);
  if (typeof maxWait !== "number") throw new TypeError(`maxWait must be a number, not ${typeof maxWait}`);
  if (!(maxWait >= 0 && maxWait < 2 ** 31)) throw new RangeError(`maxWait must be 0 to 2^31 - 1 ms, not ${maxWait}`);
}

/** Refuses a question for offsets that makes no sense. */
export function checkListOffsets(entries: readonly ListOffsetsEntry[]): void {
  for (const { partition, timestamp } of entries) {
    checkPartition(partition);
    checkWhole("timestamp", timestamp, -2, Number.MAX_SAFE_INTEGER);
  }
}

/** Refuses a record that cannot be written. */
export function checkRecord({ key, value, headers = [], timestampMs }: RecordInput): void {
  if (key !== undefined && key !== null) checkBytes("key", key);
  if (value !== null) checkBytes("value", value);
  for (const header of headers) {
    if (typeof header.name !== "string") throw new TypeError("a header's name must be a string");
    checkBytes("a header's value", header.value);
  }
  if (timestampMs !== undefined) checkWhole("timestampMs", timestampMs, 0, Number.MAX_SAFE_INTEGER);
}

/** Refuses a topic's settings that make no sense; `null` and `undefined` pass. */
export function checkSettings({ partitions, consumerTtl, retentionMs, retentionBytes }: TopicAlteration): void {
  if (partitions !== undefined) checkWhole("partitions", partitions, 1, MAX_PARTITION_COUNT);
  for (const [name, value] of Object.entries({ consumerTtl, retentionMs, retentionBytes })) {
    if (value !== undefined && value !== null) checkWhole(name, value, 1, Number.MAX_SAFE_INTEGER);
  }
}

function checkWhole(what: string, value: number, lowest: number, highest: number): void {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number, not ${typeof value}`);
  if (!Number.isSafeInteger(value) || value < lowest || value > highest) {
    throw new RangeError(`${what} must be a whole number from ${lowest} to ${highest}, not ${value}`);
  }
}

function checkBytes(what: string, value: unknown): void {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array`);
}
