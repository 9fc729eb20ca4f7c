import type { FetchRequest, ListOffsetsEntry, RecordInput, TopicAlteration, TopicConfig } from "@tidemark/core";
import { MAX_NAME_BYTES, MAX_OFFSET, MAX_PARTITION, MAX_TTL_MS } from "@tidemark/core/driver";

const MAX_PARTITION_COUNT = 10_000;
const MAX_WAIT_MS = 2 ** 31 - 1;
const ANY = Number.MAX_SAFE_INTEGER;

/** Checks a topic's name: 1 to 255 UTF-8 bytes, no unpaired surrogate; otherwise a `TypeError`. */
export function checkTopic(topic: unknown): asserts topic is string {
  if (typeof topic !== "string") throw new TypeError(`topic must be a string, not ${kindOf(topic)}`);
  if (topic === "") throw new TypeError("topic must not be empty");
  if (!topic.isWellFormed()) throw new TypeError(`topic ${JSON.stringify(topic)} has an unpaired surrogate`);
  const bytes = Buffer.byteLength(topic);
  if (bytes > MAX_NAME_BYTES) {
    throw new TypeError(`topic is ${bytes} bytes long in UTF-8; at most ${MAX_NAME_BYTES} are allowed`);
  }
}

/** Checks a partition's number. */
export function checkPartition(partition: unknown): asserts partition is number {
  checkWhole("partition", partition, 0, MAX_PARTITION);
}

/** Checks an offset: a bigint, 0 <= n < 2^63. */
export function checkOffset(what: string, offset: unknown): asserts offset is bigint {
  if (typeof offset !== "bigint") throw new TypeError(`${what} must be a bigint, not ${kindOf(offset)}`);
  if (offset < 0n || offset > MAX_OFFSET) throw new RangeError(`${what} must be from 0 to 2^63 - 1, not ${offset}`);
}

/** Checks what is asked of a fetch. */
export function checkFetch(request: FetchRequest): void {
  checkTopic(request.topic);
  checkPartition(request.partition);
  checkOffset("offset", request.offset);
  checkWhole("maxBytes", request.maxBytes, 1, ANY);
  const { maxWait } = request;
  if (typeof maxWait !== "number") throw new TypeError(`maxWait must be a number of ms, not ${kindOf(maxWait)}`);
  if (!(maxWait >= 0 && maxWait <= MAX_WAIT_MS)) {
    throw new RangeError(`maxWait must be from 0 to ${MAX_WAIT_MS} ms, not ${maxWait}`);
  }
}

/** Checks what is asked of ListOffsets. */
export function checkListOffsets(entries: readonly ListOffsetsEntry[]): void {
  if (!Array.isArray(entries)) throw new TypeError(`entries must be an array, not ${kindOf(entries)}`);
  for (const { partition, timestamp } of entries as readonly ListOffsetsEntry[]) {
    checkPartition(partition);
    checkWhole("timestamp", timestamp, -2, ANY);
  }
}

/** Checks records to be written. */
export function checkRecords(records: readonly RecordInput[]): void {
  if (!Array.isArray(records)) throw new TypeError(`records must be an array, not ${kindOf(records)}`);
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index] as RecordInput;
    if (typeof record !== "object" || record === null) {
      throw new TypeError(`records[${index}] must be an object, not ${kindOf(record)}`);
    }
    const { key, value, headers, timestampMs } = record;
    if (key !== undefined && key !== null) checkBytes(`the key of records[${index}]`, key);
    if (value !== null) checkBytes(`the value of records[${index}]`, value);
    if (timestampMs !== undefined) checkWhole(`timestampMs of records[${index}]`, timestampMs, 0, ANY);
    if (headers === undefined) continue;
    for (const header of headers) {
      if (typeof header.name !== "string" || !header.name.isWellFormed()) {
        throw new TypeError(`a header's name in records[${index}] must be a string without unpaired surrogates`);
      }
      checkBytes(`the header ${JSON.stringify(header.name)} of records[${index}]`, header.value);
    }
  }
}

/** Checks how a topic is to be made. */
export function checkTopicConfig(config: TopicConfig): void {
  if (typeof config !== "object" || config === null) {
    throw new TypeError(`a topic's config must be an object, not ${kindOf(config)}`);
  }
  checkWhole("partitions", config.partitions, 1, MAX_PARTITION_COUNT);
  checkTopicAlteration(config);
}

/** Checks how a topic is to be changed. */
export function checkTopicAlteration(alteration: TopicAlteration): void {
  if (typeof alteration !== "object" || alteration === null) {
    throw new TypeError(`an alteration must be an object, not ${kindOf(alteration)}`);
  }
  const { partitions, consumerTtl, retentionMs, retentionBytes } = alteration;
  if (partitions !== undefined) checkWhole("partitions", partitions, 1, MAX_PARTITION_COUNT);
  if (isSet(consumerTtl)) checkWhole("consumerTtl", consumerTtl, 1, MAX_TTL_MS);
  if (isSet(retentionMs)) checkWhole("retentionMs", retentionMs, 1, ANY);
  if (isSet(retentionBytes)) checkWhole("retentionBytes", retentionBytes, 1, ANY);
}

/** Checks a time-out in milliseconds. */
export function checkTimeout(timeout: unknown): asserts timeout is number {
  checkWhole("timeout", timeout, 1, MAX_WAIT_MS);
}

function isSet(value: number | null | undefined): value is number {
  return value !== undefined && value !== null;
}

function checkWhole(what: string, value: unknown, lowest: number, highest: number): asserts value is number {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number, not ${kindOf(value)}`);
  if (!Number.isSafeInteger(value) || value < lowest || value > highest) {
    throw new RangeError(`${what} must be a whole number from ${lowest} to ${highest}, not ${value}`);
  }
}

function checkBytes(what: string, value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array, not ${kindOf(value)}`);
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
