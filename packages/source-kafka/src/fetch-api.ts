import { createAPI, fetchV11, fetchV12, fetchV13, fetchV4, fetchV9, type Reader } from "@platformatic/kafka";

/** What a broker answers for one partition. */
export interface PartitionAnswer {
  readonly partition: number;
  readonly errorCode: number;
  readonly highWatermark: bigint;
  readonly lastStableOffset: bigint;
  /** Transactions that were aborted, of those whose records are in the batches. */
  readonly abortedTransactions: readonly AbortedTransaction[];
  /** Batches of records as they came, the last one perhaps cut off: not yet looked into. */
  readonly bytes: Buffer;
  /**
   * Where what former leaders wrote, up to the one of the position, ends in this log, if the position itself does not say it:
   * that leader is not known here, or its records end before the position. Nothing else is answered then.
   */
  readonly formerEnd?: bigint;
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

// The versions in which something was added that we read or send.
const SESSIONS = 7;
const LOG_START = 5;
const PREFERRED_REPLICA = 11;
const FLEXIBLE = 12;
const TOPIC_IDS = 13;
/** The number of the tagged field that says where a position's log differs. */
const DIVERGING_EPOCH = 0;

// The client's own reading of the answer takes most of the time that a record needs, on its way through arrays of pieces.

/** By the topic's id: of one that was recreated under the same name nothing is given. */
const fetchById = fetchApi(TOPIC_IDS, fetchV13.createRequest);

/** By its name, where it has no id, or the broker is of before Kafka 3.1; without a former leader's epoch before 2.7. */
const fetchByName = [
  fetchApi(FLEXIBLE, fetchV12.createRequest),
  fetchApi(PREFERRED_REPLICA, fetchV11.createRequest),
  fetchApi(9, fetchV9.createRequest),
  fetchApi(4, fetchV4.createRequest),
];

/** Fetch, in the versions that can ask for these topics. */
export function fetchApis(topics: readonly TopicFetch[]) {
  return topics.every(({ id }) => id !== undefined) ? [fetchById, ...fetchByName] : fetchByName;
}

function fetchApi(version: number, createRequest: (...parts: fetchV13.FetchRequest) => unknown) {
  const isFlexible = version >= FLEXIBLE;
  const isById = version >= TOPIC_IDS;
  return createAPI<[FetchQuestion], FetchAnswer>(
    1,
    version,
    ((question: FetchQuestion) => createRequest(...partsOf(question, isById))) as Parameters<typeof createAPI>[2],
    (_correlationId, _key, _version, reader) => ({ ...readAnswer(reader, version), isById }),
    isFlexible,
    isFlexible,
  );
}

function partsOf({ waitMs, maxBytes, isolationLevel, topics }: FetchQuestion, isById: boolean): fetchV13.FetchRequest {
  const asked = topics.map(({ id, name, partitions }) => ({ topicId: isById ? (id ?? name) : name, partitions }));
  // No session: each request stands alone.
  return [waitMs, 1, maxBytes, isolationLevel, 0, -1, asked, [], ""];
}

function readAnswer(reader: Reader, version: number): Omit<FetchAnswer, "isById"> {
  const isFlexible = version >= FLEXIBLE;
  const throttleMs = reader.readInt32();
  const errorCode = version >= SESSIONS ? reader.readInt16() : 0;
  // The number of a fetch session, which we do not begin.
  if (version >= SESSIONS) reader.readInt32();
  const topics = reader.readArray(
    () => ({
      topic: version >= TOPIC_IDS ? reader.readUUID() : reader.readString(isFlexible),
      partitions: reader.readArray(() => readPartition(reader, version), isFlexible, false),
    }),
    isFlexible,
    isFlexible,
  );
  if (isFlexible) reader.readTaggedFields();
  return { errorCode, throttleMs, topics };
}

function readPartition(reader: Reader, version: number): PartitionAnswer {
  const isFlexible = version >= FLEXIBLE;
  const partition = reader.readInt32();
  const errorCode = reader.readInt16();
  const highWatermark = reader.readInt64();
  const lastStableOffset = reader.readInt64();
  // Where the log starts: asked for separately where it is needed.
  if (version >= LOG_START) reader.readInt64();
  const abortedTransactions = reader.readArray(
    () => ({ producerId: reader.readInt64(), firstOffset: reader.readInt64() }),
    isFlexible,
    isFlexible,
  );
  // The replica that is better read from.
  if (version >= PREFERRED_REPLICA) reader.readInt32();
  // One piece, which the records that are made of it share.
  const bytes = reader.readBytes(isFlexible);
  const formerEnd = isFlexible ? readFormerEnd(reader) : undefined;
  const answer = { partition, errorCode, highWatermark, lastStableOffset, abortedTransactions, bytes };
  return formerEnd === undefined ? answer : { ...answer, formerEnd };
}

function readFormerEnd(reader: Reader): bigint | undefined {
  let end: bigint | undefined;
  for (let fields = reader.readUnsignedVarInt(); fields > 0; fields -= 1) {
    const tag = reader.readUnsignedVarInt();
    const next = reader.readUnsignedVarInt() + reader.position;
    if (tag === DIVERGING_EPOCH) {
      // The leader whose records end there.
      reader.readInt32();
      end = reader.readInt64();
    }
    reader.skip(next - reader.position);
  }
  return end;
}
