import { createAPI, fetchV12, fetchV13, type Reader } from "@platformatic/kafka";
import { type RecordBatch, splitBatches } from "./record-batches.ts";

/** What a broker answers for one partition. */
export interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  /** Transactions that were aborted, of those whose records are in the batches. */
  readonly abortedTransactions: readonly AbortedTransaction[];
  /** As they came: nobody has looked into them. */
  readonly batches: readonly RecordBatch[];
  /** Why what comes after the batches could not be read. The other partitions of the answer can be, all the same. */
  readonly damage?: Error;
}

/** A producer's transaction that was aborted, and where it began. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

/** What to fetch of one topic. */
export interface TopicFetch {
  readonly name: string;
  /** Where the cluster gives its topics ids. */
  readonly id: string | undefined;
  readonly partitions: fetchV13.FetchRequestTopic["partitions"];
}

/** What to fetch, and how long to wait for it. */
export interface FetchQuestion {
  readonly waitMs: number;
  readonly maxBytes: number;
  readonly isolationLevel: number;
  readonly topics: readonly TopicFetch[];
}

interface FetchAnswer {
  readonly errorCode: number;
  /** How long this client is slowed down for its quota. If it is over it, the answer has no topics at all. */
  readonly throttleMs: number;
  /** Whether topics go by their ids, and not by their names. */
  readonly isById: boolean;
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly PartitionAnswer[] }[];
}

// The client's own reading of the answer takes most of the time that a record needs, on its way through arrays of pieces.

/** By the topic's id: of one that was deleted and made again under the same name nothing is given. */
const fetchById = createAPI<[FetchQuestion], FetchAnswer>(
  1,
  13,
  (question: FetchQuestion) => fetchV13.createRequest(...partsOf(question, ({ id, name }) => id ?? name)),
  (_correlationId, _key, _version, reader) => ({ ...readAnswer(reader, () => reader.readUUID()), isById: true }),
);

/** By its name, where it has no id, or the broker is of before Kafka 3.1. */
const fetchByName = createAPI<[FetchQuestion], FetchAnswer>(
  1,
  12,
  (question: FetchQuestion) => fetchV12.createRequest(...partsOf(question, ({ name }) => name)),
  (_correlationId, _key, _version, reader) => ({ ...readAnswer(reader, () => reader.readString()), isById: false }),
);

/** Fetch, in the versions that can ask for these topics. */
export function fetchApis(topics: readonly TopicFetch[]) {
  return topics.every(({ id }) => id !== undefined) ? [fetchById, fetchByName] : [fetchByName];
}

function partsOf(
  { waitMs, maxBytes, isolationLevel, topics }: FetchQuestion,
  idOf: (topic: TopicFetch) => string,
): fetchV13.FetchRequest {
  // No session: each request stands alone.
  const asked = topics.map((topic) => ({ topicId: idOf(topic), partitions: topic.partitions }));
  return [waitMs, 1, maxBytes, isolationLevel, 0, -1, asked, [], ""];
}

function readAnswer(reader: Reader, readTopic: () => string): Omit<FetchAnswer, "isById"> {
  const throttleMs = reader.readInt32();
  const errorCode = reader.readInt16();
  // The number of a fetch session, which we do not begin.
  reader.readInt32();
  const topics = reader.readArray(() => ({ topic: readTopic(), partitions: reader.readArray(readPartition) }));
  reader.readTaggedFields();
  return { errorCode, throttleMs, topics };
}

function readPartition(reader: Reader): PartitionAnswer {
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  const highWatermark = reader.readInt64();
  const lastStableOffset = reader.readInt64();
  // Where the log starts: whoever needs it asks for it.
  reader.readInt64();
  const abortedTransactions = reader.readArray((transaction) => ({
    producerId: transaction.readInt64(),
    firstOffset: transaction.readInt64(),
  }));
  // The replica that is better read from.
  reader.readInt32();
  // One piece, which the records that are made of it share.
  const bytes = reader.readBytes();
  return { partition, errorCode, highWatermark, lastStableOffset, abortedTransactions, ...splitBatches(bytes) };
}
