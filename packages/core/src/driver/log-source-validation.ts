import type {
  FetchRequest,
  ListOffsetsEntry,
  RecordHeader,
  RecordInput,
  TopicAlteration,
  TopicConfig,
} from "../log-source.ts";
import {
  MAX_TTL_MS,
  validateFields,
  validateName,
  validateOffset,
  validatePartition,
  validateSignal,
  validateWholeNumber,
} from "./validation.ts";

const MAX_PARTITION_COUNT = 10_000;
const MAX_WAIT_MS = 2 ** 31 - 1;
const ANY = Number.MAX_SAFE_INTEGER;

/** Checks a topic's name: 1 to 255 UTF-8 bytes, no unpaired surrogate; otherwise a `TypeError`. */
export function validateTopic(topic: unknown): asserts topic is string {
  validateName("topic", topic);
}

const FETCH_FIELDS = ["topic", "partition", "offset", "maxBytes", "maxWait", "mark", "signal"];

/** Checks what is asked of a fetch. */
export function validateFetchRequest(request: FetchRequest): void {
  validateFields("a fetch", request, FETCH_FIELDS);
  validateSignal(request.signal);
  validateTopic(request.topic);
  validatePartition(request.partition);
  validateOffset("offset", request.offset);
  validateWholeNumber("maxBytes", request.maxBytes, 1, ANY);
  const { maxWait } = request;
  if (typeof maxWait !== "number") throw new TypeError(`maxWait must be a number of ms, not ${kindOf(maxWait)}`);
  if (!(maxWait >= 0 && maxWait <= MAX_WAIT_MS)) {
    throw new RangeError(`maxWait must be from 0 to ${MAX_WAIT_MS} ms, not ${maxWait}`);
  }
  if (request.mark !== undefined) validateName("mark", request.mark);
}

const LIST_OFFSETS_FIELDS = ["partition", "timestamp"];

/** Checks what is asked of ListOffsets. */
export function validateListOffsets(entries: readonly ListOffsetsEntry[]): void {
  if (!Array.isArray(entries)) throw new TypeError(`entries must be an array, not ${kindOf(entries)}`);
  for (const entry of entries as readonly ListOffsetsEntry[]) {
    validateFields("an entry of listOffsets", entry, LIST_OFFSETS_FIELDS);
    const { partition, timestamp } = entry;
    validatePartition(partition);
    validateWholeNumber("timestamp", timestamp, -2, ANY);
  }
}

// The last three are of a record that was read: it may be written as it is, to another place.
const RECORD_FIELDS = ["key", "value", "headers", "timestampMs", "topic", "partition", "offset"];
const HEADER_FIELDS = ["name", "value"];

/** Checks records to be written. */
export function validateRecords(records: readonly RecordInput[]): void {
  if (!Array.isArray(records)) throw new TypeError(`records must be an array, not ${kindOf(records)}`);
  for (let index = 0; index < records.length; index += 1) {
    const record = records[index] as RecordInput;
    validateFields(`records[${index}]`, record, RECORD_FIELDS);
    const { key, value, headers, timestampMs } = record;
    if (key !== undefined && key !== null) checkBytes(`the key of records[${index}]`, key);
    if (value !== null) checkBytes(`the value of records[${index}]`, value);
    if (timestampMs !== undefined) validateWholeNumber(`timestampMs of records[${index}]`, timestampMs, 0, ANY);
    if (headers === undefined) continue;
    if (!Array.isArray(headers)) {
      throw new TypeError(`headers of records[${index}] must be an array, not ${kindOf(headers)}`);
    }
    for (const header of headers as readonly RecordHeader[]) {
      validateFields(`a header of records[${index}]`, header, HEADER_FIELDS);
      if (typeof header.name !== "string" || !header.name.isWellFormed()) {
        throw new TypeError(`a header's name in records[${index}] must be a string without unpaired surrogates`);
      }
      checkBytes(`the value of header ${JSON.stringify(header.name)} of records[${index}]`, header.value);
    }
  }
}

const TOPIC_SETTINGS: ReadonlySet<string> = new Set(["partitions", "consumerTtl", "retentionMs", "retentionBytes"]);

/** Checks how a topic is to be made. */
export function validateTopicConfig(config: TopicConfig): void {
  if (typeof config !== "object" || config === null) {
    throw new TypeError(`a topic's config must be an object, not ${kindOf(config)}`);
  }
  validateTopicAlteration(config);
}

/** Checks how a topic is to be changed. */
export function validateTopicAlteration(alteration: TopicAlteration): void {
  if (typeof alteration !== "object" || alteration === null) {
    throw new TypeError(`an alteration must be an object, not ${kindOf(alteration)}`);
  }
  for (const name of Object.keys(alteration)) {
    if (!TOPIC_SETTINGS.has(name)) {
      throw new TypeError(
        `a topic has no setting ${JSON.stringify(name)}; known are ${[...TOPIC_SETTINGS].join(", ")}`,
      );
    }
  }
  const { partitions, consumerTtl, retentionMs, retentionBytes } = alteration;
  if (partitions !== undefined) validateWholeNumber("partitions", partitions, 1, MAX_PARTITION_COUNT);
  if (isSet(consumerTtl)) validateWholeNumber("consumerTtl", consumerTtl, 1, MAX_TTL_MS);
  if (isSet(retentionMs)) validateWholeNumber("retentionMs", retentionMs, 1, ANY);
  if (isSet(retentionBytes)) validateWholeNumber("retentionBytes", retentionBytes, 1, ANY);
}

function isSet(value: number | null | undefined): value is number {
  return value !== undefined && value !== null;
}

function checkBytes(what: string, value: unknown): asserts value is Uint8Array {
  if (!(value instanceof Uint8Array)) throw new TypeError(`${what} must be a Uint8Array, not ${kindOf(value)}`);
}

function kindOf(value: unknown): string {
  return value === null ? "null" : typeof value;
}
