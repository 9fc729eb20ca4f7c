import {
  type ListOffsetsEntry,
  OffsetFencedError,
  OffsetOutOfRangeError,
  type OffsetSession,
  type OffsetStore,
  openOffsetSession,
} from "@tidemark/core";
import { type Batch, type EachBatchPayload, Kafka, logLevel } from "kafkajs";
import { type Policies, settlePositions } from "../kafka-clients/where-to-read.ts";

// Longer than kafkajs needs to notice that its group has changed: one heartbeat of 3 s, one fetch.
const GROUP_NOTICES_WITHIN_MS = 6_000;

export interface FollowGroupOptions<Transaction> extends Policies {
  readonly brokers: string[];
  readonly topic: string;
  readonly consumer: string;
  /** The Kafka group that shares the partitions out. Default: the consumer's name. */
  readonly group?: string | undefined;
  readonly store: OffsetStore<Transaction>;
  /** Ends reading; what is committed is flushed. */
  readonly signal: AbortSignal;
  readonly eachBatch: (payload: EachBatchPayload, session: OffsetSession<Transaction>) => Promise<void>;
}

/**
 * Reads the partitions that a Kafka group gives to this process, from the positions of a store. Kafka only says who reads
 * what: it keeps no position. Resolves after an abort; rejects when another took the positions over, when the policy
 * refuses, or when the store or the broker is away at a rebalance. What `eachBatch` throws is tried again by kafkajs, for ever.
 */
export async function followGroup<Transaction>(options: FollowGroupOptions<Transaction>): Promise<void> {
  const { brokers, topic, consumer, store, start, resetPolicy, signal, eachBatch } = options;
  const kafka = new Kafka({ clientId: consumer, brokers, logLevel: logLevel.WARN });
  const admin = kafka.admin();
  // While all partitions are paused kafkajs sleeps this long: it is the pause before the first batch.
  const group = kafka.consumer({ groupId: options.group ?? consumer, maxWaitTimeInMs: 1_000 });
  const { promise: ended, resolve: end, reject: fail } = Promise.withResolvers<void>();
  // What fails while nobody waits yet is told as soon as somebody does.
  ended.catch(() => undefined);
  let session: OffsetSession<Transaction> | undefined;
  let generation = 0;
  let changing = Promise.resolve();

  const seek = (partition: number, offset: bigint) => group.seek({ topic, partition, offset: String(offset) });
  const listOffsets = async (entries: readonly ListOffsetsEntry[]) => {
    const times = [...new Set(entries.map(({ timestamp }) => timestamp))];
    // Kafka's -2 and -1, a log's beginning and end, are times to it.
    const found = await Promise.all(times.map((time) => admin.fetchTopicOffsetsByTimestamp(topic, time)));
    return entries.map(({ partition, timestamp }) => {
      const offset = found[times.indexOf(timestamp)]?.find((one) => one.partition === partition)?.offset;
      return offset === undefined ? { partition } : { partition, offset: BigInt(offset) };
    });
  };
  const settle = (of: OffsetSession<Transaction>, partitions: readonly number[]) =>
    settlePositions(of, { listOffsets, start, resetPolicy, signal }, partitions);

  // A session for each generation of the group: it claims what the group has given, and those who had it are fenced.
  const change = async (partitions: number[], to: number) => {
    const former = session;
    session = undefined;
    // Partitions that moved may be claimed already: its last flush is refused then, and records come again elsewhere.
    await former?.close().catch((error: unknown) => console.warn(String(error)));
    if (partitions.length === 0) return;
    const next = await openOffsetSession({
      store,
      consumer,
      topic,
      partitions,
      // Kafka says who reads what.
      sharing: "takeover",
      onEvent: (event) => {
        if (event.type === "fenced") stopUnlessGroupChanges(next);
      },
    });
    session = next;
    const positions = await settle(next, partitions);
    // The group has changed once more meanwhile: all stays paused until that is dealt with.
    if (to !== generation) return;
    for (const { partition, nextOffset } of positions) seek(partition, nextOffset);
    group.resume([{ topic, partitions }]);
  };

  // Another member of the group may have claimed a moment before kafkajs tells us: then a new session is under way. Else
  // somebody outside of the group has the positions, or an operator moved them.
  const stopUnlessGroupChanges = (fenced: OffsetSession<Transaction>) => {
    setTimeout(() => session === fenced && fail(fenced.fenced), GROUP_NOTICES_WITHIN_MS).unref();
  };

  /** Whether a batch is what comes next. Moves reading where it is not. */
  const isNext = async (of: OffsetSession<Transaction>, batch: Batch): Promise<boolean> => {
    const position = of.position(batch.partition);
    const first = BigInt(batch.firstOffset() ?? -1);
    // Of a partition that went to another while the batch was on its way.
    if (position === undefined) return false;
    if (first === position) return true;
    // A gap: compaction or markers made it. Or kafkajs met OFFSET_OUT_OF_RANGE: it then goes to the log's beginning by
    // itself (`fromBeginning`), with an error in its log and no event. The log's range tells which.
    const [next] = await settle(of, [batch.partition]);
    if (next?.reason === undefined && first > position) return true;
    seek(batch.partition, next?.nextOffset ?? position);
    return false;
  };

  group.on(group.events.GROUP_JOIN, ({ payload }) => {
    const partitions = payload.memberAssignment[topic] ?? [];
    // At once: kafkajs does not wait for listeners, and would begin where it thinks best.
    group.pause([{ topic }]);
    const to = (generation += 1);
    changing = changing.then(() => change(partitions, to)).catch(fail);
  });
  group.on(group.events.CRASH, ({ payload }) => void (payload.restart || fail(payload.error)));
  signal.addEventListener("abort", () => end(), { once: true });
  if (signal.aborted) end();

  try {
    await Promise.all([admin.connect(), group.connect()]);
    await group.subscribe({ topic, fromBeginning: true });
    await group.run({
      autoCommit: false,
      eachBatchAutoResolve: false,
      eachBatch: async (payload) => {
        const current = session;
        // Until the group changes there is nothing to read for.
        if (current?.fenced !== undefined) payload.pause();
        if (current === undefined || current.fenced !== undefined || payload.isStale()) return;
        try {
          if (await isNext(current, payload.batch)) await eachBatch(payload, current);
        } catch (error) {
          if (error instanceof OffsetOutOfRangeError) fail(error);
          else if (!(error instanceof OffsetFencedError)) throw error;
        }
      },
    });
    await ended;
  } finally {
    // Lets the batch in hand end.
    await group.disconnect();
    await changing;
    await Promise.all([session?.close(), admin.disconnect()]);
  }
}
