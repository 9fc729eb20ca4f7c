import type { Broker } from "@platformatic/kafka";
import {
  EARLIEST_TIMESTAMP,
  type FetchRequest,
  type FetchResult,
  LATEST_TIMESTAMP,
  type ListedOffset,
  type ListOffsetsEntry,
  OffsetOutOfRangeError,
} from "@tidemark/core";
import { addressOf } from "./broker-connection.ts";
import { BrokerFetcher, endOf } from "./broker-fetcher.ts";
import { untilAborted } from "./cancellation.ts";
import type { Cluster } from "./cluster.ts";
import type { PartitionAnswer } from "./fetch-api.ts";
import { LIST_OFFSETS } from "./kafka-apis.ts";
import { BrokerConnectionError, BrokerRefusal, OFFSET_OUT_OF_RANGE, throwIfRefused } from "./kafka-errors.ts";
import type { LogCall } from "./log-call.ts";
import { decodeRecords, UnsupportedBatchError } from "./record-batches.ts";

const CONSUMER = -1;
const ANY_EPOCH = -1;
const OFFSET_NOT_AVAILABLE = 78;

/** What a fetch brought, and of which topic: its name may be that of another one by now. */
export interface TopicFetchResult extends FetchResult {
  readonly topicId: string | undefined;
}

/** Reads records and tells where partitions stand. */
export class LogReader {
  readonly #cluster: Cluster;
  readonly #isolationLevel: number;
  readonly #fetchers = new Map<string, BrokerFetcher>();

  constructor(cluster: Cluster, isolationLevel: number) {
    this.#cluster = cluster;
    this.#isolationLevel = isolationLevel;
  }

  /** Reads from an offset on; at the end of the log it waits until there is something or the time is up. */
  async fetch(request: FetchRequest): Promise<TopicFetchResult> {
    const { topic, partition, offset, maxBytes, maxWait, signal } = request;
    const waitUntil = performance.now() + maxWait;
    const call = { topic, partition, signal, repeatable: true };
    return this.#cluster.attempt(call, async () => {
      const { broker, epoch: leaderEpoch } = await this.#cluster.leaderOf(topic, partition);
      const topicId = this.#cluster.topicIdOf(topic);
      const fetch = { topic, topicId, partition, leaderEpoch, offset, maxBytes, waitUntil };
      const { answer, abandon } = this.#fetcher(broker).fetch(fetch);
      const answered = await untilAborted(answer, this.#cluster.closing, signal).catch((error: unknown) => {
        abandon();
        throw error;
      });
      if (answered.errorCode === OFFSET_OUT_OF_RANGE) await this.#throwOutOfRange(request);
      throwIfRefused(answered.errorCode);
      return { ...this.#result(request, answered, broker), topicId };
    });
  }

  /** Tells the first, the last or a time's offset of partitions. */
  async listOffsets(topic: string, entries: readonly ListOffsetsEntry[], call: LogCall): Promise<ListedOffset[]> {
    return this.#cluster.attempt({ ...call, topic, repeatable: true }, async () => {
      if (entries.length === 0) await this.#cluster.topic(topic);
      const offsets = new Map<ListOffsetsEntry, bigint>();
      const questions = await this.#groupByLeader(topic, entries);
      await Promise.all(questions.map((question) => this.#ask(topic, question, offsets)));
      return entries.map((entry) => {
        const offset = offsets.get(entry);
        return { partition: entry.partition, ...(offset !== undefined && offset >= 0n && { offset }) };
      });
    });
  }

  /** The error that an offset is refused with. If the log has it after all by now, one that is tried again. */
  async outOfRange(topic: string, partition: number, requested: bigint, signal?: AbortSignal): Promise<Error> {
    const { earliest, latest } = await this.#bounds(topic, partition, signal);
    if (requested >= earliest && requested <= latest) return new BrokerRefusal(OFFSET_NOT_AVAILABLE);
    return new OffsetOutOfRangeError({ topic, partition, requested, earliest, latest });
  }

  /** The error of a position in a topic that was deleted and made again meanwhile: it is none of this log, wherever it lies. */
  async ofFormerTopic({ topic, partition, offset, signal }: FetchRequest): Promise<Error> {
    const bounds = await this.#bounds(topic, partition, signal);
    const detail = "the topic was deleted and made again, and the offset is of the former one";
    return new OffsetOutOfRangeError({ topic, partition, requested: offset, ...bounds, detail });
  }

  /** Drops all connections. */
  close(): void {
    for (const fetcher of this.#fetchers.values()) fetcher.close();
  }

  async #bounds(topic: string, partition: number, signal: AbortSignal | undefined) {
    const entries = [EARLIEST_TIMESTAMP, LATEST_TIMESTAMP].map((timestamp) => ({ partition, timestamp }));
    const listed = await this.listOffsets(topic, entries, { topic, partition, signal });
    const [earliest = 0n, latest = 0n] = listed.map(({ offset }) => offset);
    return { earliest, latest };
  }

  async #throwOutOfRange({ topic, partition, offset, signal }: FetchRequest): Promise<never> {
    throw await this.outOfRange(topic, partition, offset, signal);
  }

  #result({ topic, partition, offset }: FetchRequest, answer: PartitionAnswer, leader: Broker): FetchResult {
    const { records, nextOffset } = this.#decode(topic, partition, offset, answer, leader);
    const end = endOf(answer, this.#isolationLevel);
    return { records, nextOffset, highWatermark: end > nextOffset ? end : nextOffset };
  }

  #decode(topic: string, partition: number, offset: bigint, answer: PartitionAnswer, leader: Broker) {
    try {
      return decodeRecords(topic, partition, offset, answer);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const address = addressOf(leader);
      const message = `what ${address} has from offset ${offset} on could not be read: ${why}`;
      const failure = error instanceof UnsupportedBatchError ? "form" : "damage";
      throw new BrokerConnectionError(failure, address, message, error);
    }
  }

  #fetcher(broker: Broker): BrokerFetcher {
    const address = addressOf(broker);
    let fetcher = this.#fetchers.get(address);
    if (fetcher === undefined) {
      fetcher = new BrokerFetcher(this.#cluster, broker, this.#isolationLevel);
      this.#fetchers.set(address, fetcher);
    }
    return fetcher;
  }

  /** The questions for each leader. A request asks each partition once: what is asked twice goes into a second one. */
  async #groupByLeader(topic: string, entries: readonly ListOffsetsEntry[]): Promise<Question[]> {
    const questions: Question[] = [];
    for (const entry of entries) {
      const { broker: leader } = await this.#cluster.leaderOf(topic, entry.partition);
      const question = questions.find((known) => known.leader === leader && !known.entries.has(entry.partition));
      if (question === undefined) questions.push({ leader, entries: new Map([[entry.partition, entry]]) });
      else question.entries.set(entry.partition, entry);
    }
    return questions;
  }

  async #ask(name: string, { leader, entries }: Question, offsets: Map<ListOffsetsEntry, bigint>): Promise<void> {
    const partitions = [...entries.values()].map(({ partition, timestamp }) => ({
      partitionIndex: partition,
      currentLeaderEpoch: ANY_EPOCH,
      timestamp: BigInt(timestamp),
    }));
    const question: [number, number, { name: string; partitions: typeof partitions }[]] = [
      CONSUMER,
      this.#isolationLevel,
      [{ name, partitions }],
    ];
    const { topics } = await this.#cluster.call(leader, LIST_OFFSETS, question);
    for (const { partitionIndex, errorCode, offset } of topics[0]?.partitions ?? []) {
      throwIfRefused(errorCode);
      const entry = entries.get(partitionIndex);
      if (entry !== undefined) offsets.set(entry, offset);
    }
  }
}

interface Question {
  readonly leader: Broker;
  readonly entries: Map<number, ListOffsetsEntry>;
}
