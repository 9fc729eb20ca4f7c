import type { Broker } from "@platformatic/kafka";
import { delay } from "@tidemark/core/driver";
import { BrokerConnection } from "./broker-connection.ts";
import type { Cluster } from "./cluster.ts";
import { fetchApis, type PartitionAnswer, type TopicFetch } from "./fetch-api.ts";
import { BrokerRefusal, throwIfRefused } from "./kafka-errors.ts";
import { reaches } from "./record-batches.ts";

// A wait on the wire is cut into pieces, so that a broker that is gone without a word is noticed.
const LONGEST_POLL_MS = 5_000;
// Polls beside another one end together, soon, so that all continue as one.
const JOINING_POLL_MS = 250;
const LEAST_JOINING_POLL_MS = 20;
const JOINING_PAUSE_MS = 5;
// A fetch that comes when so many wait already, waits for the end of one of them, which is near.
const MAX_POLLS = 8;
const MAX_RESPONSE_BYTES = 64 * 1024 * 1024;
const MAX_INT32 = 2 ** 31 - 1;
const MAX_IDLE_CONNECTIONS = 2;

/** What to fetch of one partition. */
export interface PartitionFetch {
  readonly topic: string;
  /** Of this topic and no other that has its name. Absent where the cluster gives none. */
  readonly topicId: string | undefined;
  readonly partition: number;
  /**
   * Of the leader that is asked. Without it a broker that no longer leads still answers, from a copy that may be far
   * behind, and the new leader's records are waited for in vain.
   */
  readonly leaderEpoch: number;
  readonly offset: bigint;
  /** Of the leader that wrote the record before the offset, where it is to be compared with the log: else -1. */
  readonly formerEpoch: number;
  readonly maxBytes: number;
  /** The monotonic time until which an answer without a batch is not given. */
  readonly waitUntil: number;
}

/** A fetch that a caller waits for. */
interface Waiter extends PartitionFetch {
  readonly resolve: (answer: PartitionAnswer) => void;
  readonly reject: (error: unknown) => void;
  poll: Poll | undefined;
}

/** One request on its way. */
interface Poll {
  readonly waiters: Set<Waiter>;
  connection: BrokerConnection | undefined;
}

/**
 * Fetches from one broker. A broker answers a connection's requests one after the other, so a fetch that waits holds up
 * all that comes after it: fetches that begin together go into one request, and those that begin while it waits, on another
 * connection. Fetches that an answer does not serve go into the next request, with all others of that moment. So there are
 * few connections and requests, however many partitions there are, and no partition waits for another's records.
 */
export class BrokerFetcher {
  readonly #cluster: Cluster;
  readonly #broker: Broker;
  readonly #isolationLevel: number;
  readonly #idle: BrokerConnection[] = [];
  readonly #polls = new Set<Poll>();
  #queue: Waiter[] = [];
  #scheduled = false;
  /** The monotonic time at which the polls end that were begun beside others. */
  #joinAt = 0;

  constructor(cluster: Cluster, broker: Broker, isolationLevel: number) {
    this.#cluster = cluster;
    this.#broker = broker;
    this.#isolationLevel = isolationLevel;
  }

  /** Fetches; the promise is to be waited for with `abandon` called where the wait ends early. */
  fetch(fetch: PartitionFetch): { readonly answer: Promise<PartitionAnswer>; readonly abandon: () => void } {
    const { promise, resolve, reject } = Promise.withResolvers<PartitionAnswer>();
    const waiter: Waiter = { ...fetch, resolve, reject, poll: undefined };
    this.#queue.push(waiter);
    this.#schedule();
    return { answer: promise, abandon: () => this.#abandon(waiter) };
  }

  /** Drops all connections. */
  close(): void {
    for (const connection of this.#idle.splice(0)) connection.close();
    for (const poll of this.#polls) poll.connection?.close();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    // What other partitions begin in this turn of the loop goes along.
    setImmediate(() => this.#sendQueue());
  }

  /** Sends those on whose wait is over for now, together with the others that end at the same time. */
  #scheduleJoined(): void {
    if (this.#polls.size === 0 || this.#scheduled) return this.#schedule();
    this.#scheduled = true;
    setTimeout(() => this.#sendQueue(), JOINING_PAUSE_MS);
  }

  #sendQueue(): void {
    this.#scheduled = false;
    const now = performance.now();
    // A caller that does not wait must not cut short the others' wait, which would begin again and again.
    const hasty = this.#queue.filter(({ waitUntil }) => waitUntil <= now);
    const waiting = this.#queue.filter(({ waitUntil }) => waitUntil > now);
    this.#queue = [];
    for (const group of oncePerPartition(hasty)) void this.#poll(group, 0);
    for (const group of oncePerPartition(waiting)) {
      if (this.#polls.size >= MAX_POLLS) this.#queue.push(...group);
      else void this.#poll(group, this.#longestWait(now));
    }
  }

  #longestWait(now: number): number {
    if (this.#polls.size === 0) return LONGEST_POLL_MS;
    if (this.#joinAt < now + LEAST_JOINING_POLL_MS) this.#joinAt = now + JOINING_POLL_MS;
    return this.#joinAt - now;
  }

  async #poll(waiters: readonly Waiter[], longestWaitMs: number): Promise<void> {
    const poll: Poll = { waiters: new Set(waiters), connection: undefined };
    for (const waiter of waiters) waiter.poll = poll;
    this.#polls.add(poll);
    try {
      poll.connection = await this.#connect();
      if (poll.waiters.size > 0) await this.#exchange(poll, poll.connection, longestWaitMs);
      this.#release(poll.connection);
    } catch (error) {
      poll.connection?.close();
      for (const waiter of poll.waiters) waiter.reject(error);
    } finally {
      this.#polls.delete(poll);
      if (this.#queue.length > 0) this.#scheduleJoined();
    }
  }

  async #exchange(poll: Poll, connection: BrokerConnection, longestWaitMs: number): Promise<void> {
    const waiters = [...poll.waiters];
    const until = Math.min(...waiters.map(({ waitUntil }) => waitUntil));
    const waitMs = Math.max(0, Math.ceil(Math.min(longestWaitMs, until - performance.now())));
    const total = waiters.reduce((sum, { maxBytes }) => sum + maxBytes, 0);
    const topics = topicsOf(waiters);
    const maxBytes = Math.min(total, MAX_RESPONSE_BYTES);
    const answer = await connection.call(
      fetchApis(topics),
      [{ waitMs, maxBytes, isolationLevel: this.#isolationLevel, topics }],
      waitMs + this.#cluster.options.timeoutMs,
    );
    throwIfRefused(answer.errorCode);
    if (answer.topics.length === 0 && answer.throttleMs > 0) return this.#waitForQuota(poll, answer.throttleMs);
    const answers = new Map<string, PartitionAnswer>();
    for (const { topic, partitions } of answer.topics) {
      for (const partition of partitions) answers.set(`${partition.partition} ${topic}`, partition);
    }
    const now = performance.now();
    for (const waiter of poll.waiters) {
      const { partition, topic, topicId } = waiter;
      this.#serve(waiter, answers.get(`${partition} ${answer.isById ? topicId : topic}`), now);
    }
  }

  /** No fetch was served: the broker does not even read this connection until its client is within the quota again. */
  async #waitForQuota(poll: Poll, throttleMs: number): Promise<void> {
    await delay(throttleMs, this.#cluster.closing);
    for (const waiter of poll.waiters) {
      waiter.poll = undefined;
      this.#queue.push(waiter);
    }
  }

  #serve(waiter: Waiter, answer: PartitionAnswer | undefined, now: number): void {
    if (answer === undefined) {
      waiter.reject(new BrokerRefusal(-1, "the broker's answer left out a partition"));
      return;
    }
    const { errorCode, bytes, formerEnd } = answer;
    const isSaid = errorCode !== 0 || formerEnd !== undefined;
    const leftOut = !isSaid && !reaches(bytes, waiter.offset);
    // Records that are there may have found no room behind those of other partitions: they go first the next time.
    const crowdedOut =
      leftOut && endOf(answer, this.#isolationLevel) > waiter.offset && waiter.poll?.waiters.size !== 1;
    if (crowdedOut) {
      this.#queue.unshift(waiter);
      this.#schedule();
    } else if (leftOut && waiter.waitUntil > now) {
      this.#queue.push(waiter);
    } else {
      return waiter.resolve(answer);
    }
    waiter.poll = undefined;
  }

  #abandon(waiter: Waiter): void {
    const { poll } = waiter;
    if (poll === undefined) {
      this.#queue = this.#queue.filter((queued) => queued !== waiter);
      return;
    }
    poll.waiters.delete(waiter);
    // A connection without a waiting caller would be of no use until the broker answers.
    if (poll.waiters.size === 0) poll.connection?.close();
  }

  async #connect(): Promise<BrokerConnection> {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.usable) return connection;
      connection.close();
    }
    const { options, closing } = this.#cluster;
    const connection = await BrokerConnection.open(this.#broker, options, closing);
    if (!closing.aborted) return connection;
    connection.close();
    throw closing.reason;
  }

  #release(connection: BrokerConnection): void {
    if (connection.usable && this.#idle.length < MAX_IDLE_CONNECTIONS && !this.#cluster.closing.aborted) {
      this.#idle.push(connection);
    } else {
      connection.close();
    }
  }
}

/** Where the records that this isolation shows end. */
export function endOf(answer: PartitionAnswer, isolationLevel: number): bigint {
  return isolationLevel === 0 ? answer.highWatermark : answer.lastStableOffset;
}

/** A request asks each partition once: groups in which none appears twice. */
function oncePerPartition(waiters: readonly Waiter[]): Waiter[][] {
  const groups: Map<string, Waiter>[] = [];
  for (const waiter of waiters) {
    const identity = `${waiter.partition} ${waiter.topic}`;
    const group = groups.find((candidate) => !candidate.has(identity));
    if (group === undefined) groups.push(new Map([[identity, waiter]]));
    else group.set(identity, waiter);
  }
  return groups.map((group) => [...group.values()]);
}

function topicsOf(waiters: readonly Waiter[]): TopicFetch[] {
  const topics = new Map<string, TopicFetch>();
  for (const { topic: name, topicId: id, partition, leaderEpoch, offset, formerEpoch, maxBytes } of waiters) {
    const identity = `${id} ${name}`;
    const topic = topics.get(identity) ?? { name, id, partitions: [] };
    topics.set(identity, topic);
    topic.partitions.push({
      partition,
      currentLeaderEpoch: leaderEpoch,
      fetchOffset: offset,
      lastFetchedEpoch: formerEpoch,
      partitionMaxBytes: Math.min(maxBytes, MAX_INT32),
    });
  }
  return [...topics.values()];
}
