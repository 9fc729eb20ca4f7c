import { createAPI, fetchV12, type Reader } from "@platformatic/kafka";
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
  /** Why the batches could not be read. The other partitions of the answer can be, all the same. */
  readonly damage?: Error;
}

/** A producer's transaction that was aborted, and where it began. */
export interface AbortedTransaction {
  readonly producerId: bigint;
  readonly firstOffset: bigint;
}

interface FetchAnswer {
  readonly errorCode: number;
  /** How long this client is slowed down for its quota. If it is over it, the answer has no topics at all. */
  readonly throttleMs: number;
  readonly topics: readonly { readonly topic: string; readonly partitions: readonly PartitionAnswer[] }[];
}

/**
 * Fetch, by the topic's name: from 13 on topics go by their ids, which only this source's users would have to know. The
 * client's own reading of the answer takes most of the time that a record needs, on its way through arrays of pieces.
 */
export const fetchApi = createAPI<fetchV12.FetchRequest, FetchAnswer>(
  1,
  12,
  fetchV12.createRequest,
  (_correlationId, _key, _version, reader) => {
    const throttleMs = reader.readInt32();
    const errorCode = reader.readInt16();
    // The number of a fetch session, which we do not begin.
    reader.readInt32();
    const topics = reader.readArray((topic) => ({
      topic: topic.readString(),
      partitions: topic.readArray(readPartition),
    }));
    reader.readTaggedFields();
    return { errorCode, throttleMs, topics };
  },
);

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
  return { partition, errorCode, highWatermark, lastStableOffset, abortedTransactions, ...batchesOf(bytes) };
}

function batchesOf(bytes: Buffer): Pick<PartitionAnswer, "batches" | "damage"> {
  try {
    return { batches: splitBatches(bytes) };
  } catch (error) {
    return { batches: [], damage: error instanceof Error ? error : new Error(String(error), { cause: error }) };
  }
}
