import type { FetchRequest, ListOffsetsEntry, RecordInput, TopicAlteration } from "@tidemark/core";
import { validateName, validateOffset, validatePartition, validateWholeNumber } from "@tidemark/core/driver";

/** The most partitions that a topic can have. */
export const MAX_PARTITION_COUNT = 10_000;

/** Refuses a topic's name that no log of this repository takes, with a `TypeError`. */
export function checkTopic(topic: unknown): void {
  validateName("topic", topic);
}

/** Refuses a fetch that makes no sense. */
export function checkFetch({ topic, partition, offset, maxBytes, maxWait, mark }: FetchRequest): void {
  checkTopic(topic);
  validatePartition(partition);
  validateOffset("offset", offset);
  validateWholeNumber("maxBytes", maxBytes, 1, Number.MAX_SAFE_INTEGER);
  if (typeof maxWait !== "number") throw new TypeError(`maxWait must be a number, not ${typeof maxWait}`);
  if (!(maxWait >= 0 && maxWait < 2 ** 31)) throw new RangeError(`maxWait must be 0 to 2^31 - 1 ms, not ${maxWait}`);
  if (mark !== undefined) validateName("mark", mark);
}

/** Refuses a question for offsets that makes no sense. */
export function checkListOffsets(entries: readonly ListOffsetsEntry[]): void {
  for (const { partition, timestamp } of entries) {
    validatePartition(partition);
    validateWholeNumber("timestamp", timestamp, -2, Number.MAX_SAFE_INTEGER);
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
  if (timestampMs !== undefined) validateWholeNumber("timestampMs", timestampMs, 0, Number.MAX_SAFE_INTEGER);
}

/** Refuses a topic's settings that make no sense; `null` and `undefined` pass. */
export function checkSettings({ partitions, consumerTtl, retentionMs, retentionBytes }: TopicAlteration): void {
  if (partitions !== undefined) validateWholeNumber("partitions", partitions, 1, MAX_PARTITION_COUNT);
  for (const [name, value] of Object.entries({ consumerTtl, retentionMs, retentionBytes })) {
    if (value !== undefined && value !== null) validateWholeNumber(name, value, 1, Number.MAX_SAFE_INTEGER);
  }
}

function checkBytes(what: string, value: unknown): void {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array`);
}
