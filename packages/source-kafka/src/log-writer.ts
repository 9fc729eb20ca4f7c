import { type MessageRecord, NumericMap, ProduceAcks, type produceV9 } from "@platformatic/kafka";
import { LogSourceError, type RecordInput } from "@tidemark/core";
import { BatchSizes } from "./batch-sizes.ts";
import { untilAborted } from "./cancellation.ts";
import type { Cluster } from "./cluster.ts";
import { DELETE_RECORDS, INIT_PRODUCER_ID, PRODUCE } from "./kafka-apis.ts";
import {
  BrokerConnectionError,
  BrokerRefusal,
  MESSAGE_TOO_LARGE,
  OFFSET_OUT_OF_RANGE,
  OUT_OF_ORDER_SEQUENCE_NUMBER,
  RECORD_LIST_TOO_LARGE,
  throwIfRefused,
  UNKNOWN_PRODUCER_ID,
} from "./kafka-errors.ts";
import type { LogCall } from "./log-call.ts";
import type { LogReader } from "./log-reader.ts";

// Sequence numbers begin again at 0 after the largest int32.
const SEQUENCES = 2 ** 31;

/** By what a broker knows a batch that it has written already: its producer, and where it is in the producer's order. */
interface ProducerIdentity {
  readonly producerId: bigint;
  readonly producerEpoch: number;
  /** The sequence number of the next record, by `TOPIC:PARTITION` as the client looks it up. */
  readonly sequences: NumericMap;
}

/**
 * Writes records, and removes old ones. What does not fit into one batch goes in several. A batch is sent again when its answer was lost, and yet written once: the broker
 * knows it by its sequence number. So each partition's batches are sent one after the other.
 */
export class LogWriter {
  readonly #cluster: Cluster;
  readonly #reader: LogReader;
  readonly #sizes = new BatchSizes();
  readonly #turns = new Map<string, Promise<unknown>>();
  #identity: Promise<ProducerIdentity | undefined> | undefined;

  constructor(cluster: Cluster, reader: LogReader) {
    this.#cluster = cluster;
    this.#reader = reader;
  }

  /** Appends records, in one batch if the topic and their times allow it, acknowledged by all replicas in sync. */
  async produce(topic: string, partition: number, records: readonly RecordInput[], call: LogCall): Promise<bigint> {
    if (records.length === 0) {
      const [end] = await this.#reader.listOffsets(topic, [{ partition, timestamp: -1 }], call);
      return end?.offset ?? 0n;
    }
    // Copied at once: the caller may reuse the buffers while a leader is looked for.
    const messages = records.map(({ key, value, headers = [], timestampMs = Date.now() }) => ({
      topic,
      partition,
      timestamp: BigInt(timestampMs),
      ...(key !== undefined && key !== null && { key: Buffer.from(key) }),
      // The client's type knows no null, its encoding does.
      value: (value === null ? null : Buffer.from(value)) as Buffer,
      // Of buffers as keys none is the same as another, so that names may repeat.
      headers: new Map(headers.map((header) => [Buffer.from(header.name), Buffer.from(header.value)])),
    }));
    return this.#inTurn(`${topic}:${partition}`, call, () => this.#sendAll(topic, partition, messages, call));
  }

  /** Removes the records before an offset. */
  async deleteRecords(topic: string, partition: number, beforeOffset: bigint, call: LogCall): Promise<bigint> {
    const { timeoutMs } = this.#cluster.options;
    return this.#cluster.attempt({ ...call, repeatable: true }, async () => {
      const { broker } = await this.#cluster.leaderOf(topic, partition);
      const partitions = [{ partitionIndex: partition, offset: beforeOffset }];
      const { topics } = await this.#cluster.call(broker, DELETE_RECORDS, [[{ name: topic, partitions }], timeoutMs]);
      const [answer] = topics[0]?.partitions ?? [];
      if (answer === undefined) throw new BrokerRefusal(-1, "the broker's answer left out the partition");
      if (answer.errorCode === OFFSET_OUT_OF_RANGE) {
        throw await this.#reader.outOfRange(topic, partition, beforeOffset, call.signal);
      }
      throwIfRefused(answer.errorCode);
      return answer.lowWatermark;
    });
  }

  async #sendAll(topic: string, partition: number, messages: MessageRecord[], call: LogCall): Promise<bigint> {
    let first: bigint | undefined;
    let records = 0;
    while (first === undefined || records < messages.length) {
      const batch = this.#sizes.cut(topic, messages, records);
      try {
        const written = { records, of: messages.length };
        const offset = await this.#send(topic, partition, batch, records === 0 ? call : { ...call, written });
        first ??= offset;
        records += batch.length;
      } catch (error) {
        if (!isTooLarge(error) || batch.length === 1) throw error;
        this.#sizes.refused(topic, batch);
      }
    }
    return first;
  }

  async #send(topic: string, partition: number, messages: MessageRecord[], call: LogCall): Promise<bigint> {
    let identity = await this.#cluster.attempt({ ...call, repeatable: true }, () => this.#identify());
    try {
      // A broker that knows no producers would write twice what is sent twice.
      const repeatable = identity !== undefined;
      const offset = await this.#cluster.attempt({ ...call, repeatable }, async () => {
        for (let isRenewed = false; ; isRenewed = true) {
          const { errorCode, errorMessage, baseOffset } = await this.#exchange(topic, partition, messages, identity);
          if (identity === undefined || isRenewed || !isOutOfOrder(errorCode)) {
            throwIfRefused(errorCode, errorMessage);
            return baseOffset;
          }
          // The log lost the batch before this one, and with it this one, if it ever had it.
          this.#identity = undefined;
          identity = await this.#identify();
        }
      });
      const key = `${topic}:${partition}`;
      identity?.sequences.set(key, (identity.sequences.getWithDefault(key, 0) + messages.length) % SEQUENCES);
      return offset;
    } catch (error) {
      // The batch may have been written: another one of the same sequence number would be taken for it.
      if (!isTooLarge(error)) this.#identity = undefined;
      throw error;
    }
  }

  async #exchange(
    topic: string,
    partition: number,
    messages: MessageRecord[],
    identity: ProducerIdentity | undefined,
  ): Promise<produceV9.ProduceResponsePartition> {
    const { broker } = await this.#cluster.leaderOf(topic, partition);
    const { timeoutMs } = this.#cluster.options;
    const produced = await this.#cluster.call(broker, PRODUCE, [ProduceAcks.ALL, timeoutMs, messages, identity ?? {}]);
    const [answer] = typeof produced === "boolean" ? [] : (produced.responses[0]?.partitionResponses ?? []);
    if (answer === undefined) throw new BrokerRefusal(-1, "the broker's answer left out the partition");
    return answer;
  }

  /** Gives the producer its identity, when it first writes and after each failure; none where brokers give none. */
  async #identify(): Promise<ProducerIdentity | undefined> {
    this.#identity ??= this.#newIdentity();
    try {
      return await this.#identity;
    } catch (error) {
      this.#identity = undefined;
      throw error;
    }
  }

  async #newIdentity(): Promise<ProducerIdentity | undefined> {
    const { timeoutMs } = this.#cluster.options;
    try {
      const answer = await this.#cluster.callController(INIT_PRODUCER_ID, [null, timeoutMs, -1n, -1]);
      throwIfRefused(answer.errorCode);
      return { producerId: answer.producerId, producerEpoch: answer.producerEpoch, sequences: new NumericMap() };
    } catch (error) {
      if (error instanceof BrokerConnectionError && error.failure === "version") return undefined;
      throw error;
    }
  }

  /** Waits until the calls before it are done, and runs one. */
  async #inTurn<Result>(turn: string, { signal }: LogCall, run: () => Promise<Result>): Promise<Result> {
    const before = this.#turns.get(turn) ?? Promise.resolve();
    const mine = before.then(() => {
      signal?.throwIfAborted();
      return run();
    });
    const settled = mine.catch(() => undefined);
    this.#turns.set(turn, settled);
    try {
      return await untilAborted(mine, this.#cluster.closing, signal);
    } finally {
      if (this.#turns.get(turn) === settled) void settled.then(() => this.#forgetTurn(turn, settled));
    }
  }

  #forgetTurn(turn: string, settled: Promise<unknown>): void {
    if (this.#turns.get(turn) === settled) this.#turns.delete(turn);
  }
}

/** Whether the broker misses the producer's batch before: an unclean election, or retention, took it away. */
function isOutOfOrder(errorCode: number): boolean {
  return errorCode === OUT_OF_ORDER_SEQUENCE_NUMBER || errorCode === UNKNOWN_PRODUCER_ID;
}

function isTooLarge(error: unknown): boolean {
  if (!(error instanceof LogSourceError) || !(error.cause instanceof BrokerRefusal)) return false;
  const { errorCode } = error.cause;
  return errorCode === MESSAGE_TOO_LARGE || errorCode === RECORD_LIST_TOO_LARGE;
}
