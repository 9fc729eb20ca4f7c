import type { Broker } from "@platformatic/kafka";
import {
  EARLIEST_TIMESTAMP,
  type FetchRequest,
  type FetchResult,
  LATEST_TIMESTAMP,
  type ListedOffset,
  type ListOffsetsEntry,
  OffsetOutOfRangeError,
  type OffsetOutOfRangeErrorOptions,
} from "@tidemark/core";
import { Pace } from "@tidemark/core/driver";
import { type AnswerPart, AnswerReader } from "./answer-reader.ts";
import { addressOf } from "./broker-connection.ts";
import { BrokerFetcher, endOf } from "./broker-fetcher.ts";
import { untilAborted } from "./cancellation.ts";
import type { Cluster, PartitionLeader } from "./cluster.ts";
import type { PartitionAnswer } from "./fetch-api.ts";
import { LIST_OFFSETS } from "./kafka-apis.ts";
import {
  BrokerConnectionError,
  BrokerRefusal,
  OFFSET_NOT_AVAILABLE,
  OFFSET_OUT_OF_RANGE,
  throwIfRefused,
} from "./kafka-errors.ts";
import { formatMark } from "./kafka-marks.ts";
import { KeptAnswers, type OpenAnswer } from "./kept-answers.ts";
import { knownEpoch } from "./known-leaders.ts";
import type { LogCall } from "./log-call.ts";
import { PositionCheck } from "./position-check.ts";
import { UnsupportedBatchError } from "./record-batches.ts";

const CONSUMER = -1;
const LONGEST_WAIT_MS = 5_000;
const LISTING_AGE_MS = 1_000;

/** Reads records and returns where partitions stand. */
export class LogReader {
  readonly #cluster: Cluster;
  readonly #isolationLevel: number;
  readonly #fetchers = new Map<string, BrokerFetcher>();
  readonly #kept = new KeptAnswers();
  readonly #pace = new Pace();
  /** The turn of the last one that came to read an answer. */
  #lastTurn = Promise.resolve();

  constructor(cluster: Cluster, isolationLevel: number) {
    this.#cluster = cluster;
    this.#isolationLevel = isolationLevel;
  }

  /** Reads from an offset on; at the end of the log it waits until there is something or the time is up. */
  async fetch(request: FetchRequest): Promise<FetchResult> {
    const { topic, partition, offset, maxWait, signal } = request;
    const endsAt = performance.now() + maxWait;
    const check = new PositionCheck(request.mark);
    const call = { topic, partition, signal, repeatable: true };
    for (;;) {
      // A longer wait looks between for another leader.
      const waitUntil = Math.min(endsAt, performance.now() + LONGEST_WAIT_MS);
      const result = await this.#cluster.attempt(call, () => this.#fetchOnce(request, check, waitUntil));
      if (result.nextOffset > offset || performance.now() >= endsAt) return result;
    }
  }

  /** Looks up the first, the last or a time's offset of partitions. */
  async listOffsets(topic: string, entries: readonly ListOffsetsEntry[], call: LogCall): Promise<ListedOffset[]> {
    return this.#cluster.attempt({ ...call, topic, repeatable: true }, async () => {
      if (entries.length === 0) await this.#cluster.topic(topic);
      const found = new Map<ListOffsetsEntry, ListedOffset>();
      const questions = await this.#groupByLeader(topic, entries);
      await Promise.all(questions.map((question) => this.#ask(topic, question, found)));
      return entries.map((entry) => found.get(entry) ?? { partition: entry.partition });
    });
  }

  /** The error that an offset is refused with. If the log has it after all by now, one that is tried again. */
  async outOfRange(
    topic: string,
    partition: number,
    requested: bigint,
    signal: AbortSignal | undefined,
    why: RefusalReason = {},
  ): Promise<Error> {
    const entries = [EARLIEST_TIMESTAMP, LATEST_TIMESTAMP].map((timestamp) => ({ partition, timestamp }));
    const listed = await this.listOffsets(topic, entries, { topic, partition, signal });
    const [earliest = 0n, latest = 0n] = listed.map(({ offset }) => offset);
    const isInRange = requested >= earliest && requested <= latest;
    if (why.reason === undefined && isInRange) return new BrokerRefusal(OFFSET_NOT_AVAILABLE);
    return new OffsetOutOfRangeError({ topic, partition, requested, earliest, latest, ...why });
  }

  /** Drops all connections. */
  close(): void {
    for (const fetcher of this.#fetchers.values()) fetcher.close();
    this.#kept.close();
  }

  async #fetchOnce(request: FetchRequest, check: PositionCheck, waitUntil: number): Promise<FetchResult> {
    const { topic, partition, offset, signal } = request;
    for (;;) {
      const leader = await this.#cluster.leaderOf(topic, partition);
      let why: RefusalReason = { reason: "other-log" };
      if (!check.isOfOtherLog(leader)) {
        const kept = this.#kept.take(request, leader);
        if (kept !== undefined) return this.#result(request, kept, leader);
        const answer = await this.#fetchFrom(leader, request, check, waitUntil);
        const { errorCode, formerEnd } = answer;
        const isOutOfRange = errorCode === OFFSET_OUT_OF_RANGE;
        if (formerEnd === undefined && !isOutOfRange) {
          throwIfRefused(errorCode);
          const reader = new AnswerReader(topic, partition, offset, answer);
          return this.#result(request, { reader, end: endOf(answer, this.#isolationLevel) }, leader);
        }
        why = formerEnd === undefined ? {} : { reason: "truncated", divergedAt: formerEnd };
        // Out of range is also what a broker says that knows nothing of former leaders.
        if (formerEnd === undefined || formerEnd >= offset) check.settle(leader);
        if (formerEnd !== undefined && formerEnd >= offset) continue;
      }
      if (check.isConfirmed) throw await this.outOfRange(topic, partition, offset, signal, why);
      check.isConfirmed = true;
      await this.#cluster.refresh(topic);
    }
  }

  async #fetchFrom(
    leader: PartitionLeader,
    { topic, partition, offset, maxBytes, signal }: FetchRequest,
    check: PositionCheck,
    waitUntil: number,
  ): Promise<PartitionAnswer> {
    const { broker, epoch: leaderEpoch, topicId } = leader;
    const formerEpoch = check.formerEpochFor(leader);
    const fetch = { topic, topicId, partition, leaderEpoch, offset, formerEpoch, maxBytes, waitUntil };
    const { answer, abandon } = this.#fetcher(broker).fetch(fetch);
    try {
      return await untilAborted(answer, this.#cluster.closing, signal);
    } catch (error) {
      abandon();
      throw error;
    }
  }

  async #result(request: FetchRequest, answer: OpenAnswer, leader: PartitionLeader): Promise<FetchResult> {
    const { epoch: ledBy, markId } = leader;
    await this.#turn();
    const { records, nextOffset, leaderEpoch = ledBy } = this.#read(request, answer.reader, leader.broker);
    const { end } = answer;
    const result = { records, nextOffset, highWatermark: end > nextOffset ? end : nextOffset };
    const mark = markOf(markId, ledBy, leaderEpoch);
    if (answer.reader.hasMore) this.#kept.keep(request, nextOffset, mark, leader, answer);
    return mark === undefined ? result : { ...result, mark };
  }

  /** Waits until those that came before have read theirs, and the event loop was left to others. */
  #turn(): Promise<void> {
    this.#lastTurn = this.#lastTurn.then(() => this.#pace.now());
    return this.#lastTurn;
  }

  #read({ offset, maxBytes }: FetchRequest, reader: AnswerReader, leader: Broker): AnswerPart {
    try {
      return reader.read(maxBytes);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const address = addressOf(leader);
      const message = `the records on ${address} from offset ${offset} could not be decoded: ${why}`;
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
      const { partition } = entry;
      // Of a topic that was recreated meanwhile the answer would be taken for the former one's.
      const leader = await this.#cluster.leaderOf(topic, partition, LISTING_AGE_MS);
      const address = addressOf(leader.broker);
      const question = questions.find((known) => known.address === address && !known.asked.has(partition));
      if (question !== undefined) question.asked.set(partition, { entry, leader });
      else questions.push({ address, broker: leader.broker, asked: new Map([[partition, { entry, leader }]]) });
    }
    return questions;
  }

  async #ask(name: string, { broker, asked }: Question, found: Map<ListOffsetsEntry, ListedOffset>): Promise<void> {
    const partitions = [...asked.values()].map(({ entry, leader }) => ({
      partitionIndex: entry.partition,
      currentLeaderEpoch: leader.epoch,
      timestamp: BigInt(entry.timestamp),
    }));
    const question: [number, number, { name: string; partitions: typeof partitions }[]] = [
      CONSUMER,
      this.#isolationLevel,
      [{ name, partitions }],
    ];
    const { topics } = await this.#cluster.call(broker, LIST_OFFSETS, question);
    for (const { partitionIndex: partition, errorCode, offset, leaderEpoch } of topics[0]?.partitions ?? []) {
      throwIfRefused(errorCode);
      const { entry, leader } = asked.get(partition) ?? {};
      if (entry === undefined || leader === undefined || offset < 0n) continue;
      const mark = markOf(leader.markId, leader.epoch, knownEpoch(leaderEpoch) ?? leader.epoch);
      found.set(entry, { partition, offset, ...(mark !== undefined && { mark }) });
    }
  }
}

type RefusalReason = Pick<OffsetOutOfRangeErrorOptions, "reason" | "divergedAt">;

interface Question {
  readonly address: string;
  readonly broker: Broker;
  readonly asked: Map<number, { readonly entry: ListOffsetsEntry; readonly leader: PartitionLeader }>;
}

/** The mark of what the leader of an epoch wrote; without its epoch where the cluster does not count its leaders. */
function markOf(topic: string | undefined, ledBy: number, wroteIt: number): string | undefined {
  return formatMark({ topic, epoch: knownEpoch(ledBy) === undefined ? undefined : knownEpoch(wroteIt) });
}
