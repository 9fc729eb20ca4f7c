import { randomUUID } from "node:crypto";
import {
  type FetchRequest,
  type FetchResult,
  type ListedOffset,
  type ListOffsetsEntry,
  type LogAdmin,
  type LogProducer,
  type LogSource,
  LogSourceError,
  OffsetOutOfRangeError,
  type OffsetOutOfRangeErrorOptions,
  type TopicConfig,
  type TopicDescription,
} from "@tidemark/core";
import { validateOffset, validatePartition } from "@tidemark/core/driver";
import { checkFetch, checkListOffsets, checkRecord, checkSettings, checkTopic } from "./memory-source-checks.ts";
import { MemoryPartition } from "./memory-partition.ts";

/** A {@link LogSource} in memory, with the levers that tests of its users need. Nothing of it is durable. */
export interface MemorySource extends LogSource {
  readonly admin: LogAdmin;
  readonly producer: LogProducer;
  /** Removes the records before an offset at once; beyond the end is an `OffsetOutOfRangeError`. */
  deleteRecords(topic: string, partition: number, before: bigint): void;
  /** Deletes a topic and makes it again, with the same settings unless others are given. Its offsets start at 0. */
  recreateTopic(topic: string, config?: TopicConfig): void;
  /**
   * Lets another leader continue with the partition: what it writes has another mark. With `keepBefore`, it is one that does not
   * know the records from there on: the log is truncated, as by an unclean election, and those offsets are used again.
   */
  changeLeader(topic: string, partition: number, keepBefore?: bigint): void;
  /** Gives the next record this offset: what lies between is a gap, as compaction and transactions leave them. */
  advanceTo(topic: string, partition: number, offset: bigint): void;
  /** Fails one fetch of this partition, of any topic: the one that waits, else the next. Several calls fail several fetches. */
  failNextFetch(partition: number, error: unknown): void;
  /**
   * Holds back the answers of `listOffsets`: the answer is looked up, then the hook is awaited, then it is given. So a test
   * can count calls, delay answers, and change the log meanwhile. `undefined` takes the hook away.
   */
  delayListOffsets(
    hook: ((topic: string, entries: readonly ListOffsetsEntry[]) => Promise<void> | void) | undefined,
  ): void;
}

/**
 * Makes an empty {@link MemorySource}. Retention settings are kept and described but nothing goes away by itself: tests say
 * when, with `deleteRecords`.
 */
export function createMemorySource(): MemorySource {
  return new ArrayLogSource();
}

type Settings = Omit<TopicDescription, "name" | "internal">;

interface Topic {
  readonly id: string;
  config: Settings;
  readonly partitions: MemoryPartition[];
}

class ArrayLogSource implements MemorySource {
  readonly name = "memory";
  readonly admin: LogAdmin;
  readonly producer: LogProducer;
  readonly #topics = new Map<string, Topic>();
  readonly #failures = new Map<number, unknown[]>();
  #hook: Parameters<MemorySource["delayListOffsets"]>[0];
  #closed = false;

  constructor() {
    this.admin = {
      createTopic: async (name, config, options) => this.#createTopic(name, config, options?.signal),
      listTopics: async (options) => {
        this.#assertUsable(options?.signal);
        return [...this.#topics.keys()].sort().map((name) => this.#describe(name));
      },
      describeTopic: async (name, options) => {
        checkTopic(name);
        this.#assertUsable(options?.signal);
        return this.#describe(name);
      },
      alterTopic: async (name, alteration, options) => {
        checkTopic(name);
        checkSettings(alteration);
        this.#assertUsable(options?.signal);
        const topic = this.#topic(name);
        const count = topic.partitions.length;
        const { partitions = count } = alteration;
        if (partitions < count) throw new RangeError(`${named(name)} has ${count} partitions; they can only grow`);
        for (let next = count; next < partitions; next += 1)
          topic.partitions.push(new MemoryPartition(name, next, topic.id));
        const given = Object.entries(alteration).filter(([, value]) => value !== undefined);
        topic.config = { ...dropUnset({ ...topic.config, ...Object.fromEntries(given) }), partitions };
      },
      deleteTopic: async (name, options) => {
        checkTopic(name);
        this.#assertUsable(options?.signal);
        this.#deleteTopic(name);
      },
    };
    this.producer = {
      produce: async (topic, partition, records, options) => {
        checkTopic(topic);
        validatePartition(partition);
        records.forEach(checkRecord);
        this.#assertUsable(options?.signal);
        return this.#partition(topic, partition).append(records);
      },
    };
  }

  async partitions(topic: string, options: { readonly signal?: AbortSignal | undefined } = {}): Promise<number[]> {
    checkTopic(topic);
    this.#assertUsable(options.signal);
    return this.#topic(topic).partitions.map(({ partition }) => partition);
  }

  async fetch(request: FetchRequest): Promise<FetchResult> {
    checkFetch(request);
    const { topic, partition, offset, maxBytes, maxWait, mark, signal } = request;
    let waitedSince: number | undefined;
    for (;;) {
      this.#assertUsable(signal);
      const log = this.#partition(topic, partition);
      const failures = this.#failures.get(partition);
      if (failures !== undefined && failures.length > 0) throw failures.shift();
      refuseOutOfRange(log, offset, mark);
      waitedSince ??= performance.now();
      const leftMs = maxWait - (performance.now() - waitedSince);
      if (offset < log.end || leftMs <= 0) return log.read(offset, maxBytes);
      await changeOf(log, leftMs, signal);
    }
  }

  async listOffsets(
    topic: string,
    entries: readonly ListOffsetsEntry[],
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ListedOffset[]> {
    checkTopic(topic);
    checkListOffsets(entries);
    this.#assertUsable(options.signal);
    const answers = entries.map(({ partition, timestamp }) => this.#partition(topic, partition).list(timestamp));
    await this.#hook?.(topic, entries);
    this.#assertUsable(options.signal);
    return answers;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const topic of this.#topics.values()) for (const partition of topic.partitions) partition.wake();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  deleteRecords(topic: string, partition: number, before: bigint): void {
    validateOffset("before", before);
    const log = this.#partition(topic, partition);
    if (before > log.end) throw outOfRange(log, before);
    log.deleteBefore(before);
  }

  recreateTopic(topic: string, config: TopicConfig = this.#topic(topic).config): void {
    this.#deleteTopic(topic);
    this.#createTopic(topic, config, undefined);
  }

  changeLeader(topic: string, partition: number, keepBefore?: bigint): void {
    this.#partition(topic, partition).changeLeader(keepBefore);
  }

  advanceTo(topic: string, partition: number, offset: bigint): void {
    validateOffset("offset", offset);
    this.#partition(topic, partition).advanceTo(offset);
  }

  failNextFetch(partition: number, error: unknown): void {
    const failures = this.#failures.get(partition) ?? [];
    failures.push(error);
    this.#failures.set(partition, failures);
    for (const topic of this.#topics.values()) topic.partitions[partition]?.wake();
  }

  delayListOffsets(hook: Parameters<MemorySource["delayListOffsets"]>[0]): void {
    this.#hook = hook;
  }

  #createTopic(name: string, config: TopicConfig, signal: AbortSignal | undefined): void {
    checkTopic(name);
    checkSettings(config);
    this.#assertUsable(signal);
    if (this.#topics.has(name)) {
      throw new LogSourceError(`${named(name)} exists already`, {
        code: "TOPIC_EXISTS",
        topic: name,
      });
    }
    const id = randomUUID();
    const { partitions: count = 1 } = config;
    const partitions = Array.from({ length: count }, (_, number) => new MemoryPartition(name, number, id));
    this.#topics.set(name, { id, config: { ...dropUnset(config), partitions: count }, partitions });
  }

  #deleteTopic(name: string): void {
    const { partitions } = this.#topic(name);
    this.#topics.delete(name);
    for (const partition of partitions) partition.wake();
  }

  #describe(name: string): TopicDescription {
    return { name, internal: name.startsWith("__"), ...this.#topic(name).config };
  }

  #topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (topic === undefined) {
      throw new LogSourceError(`there is no ${named(name)}; create it first`, {
        code: "UNKNOWN_TOPIC",
        topic: name,
      });
    }
    return topic;
  }

  #partition(topic: string, partition: number): MemoryPartition {
    const { partitions } = this.#topic(topic);
    const log = partitions[partition];
    if (log === undefined) {
      const message = `${named(topic)} has no partition ${partition}: it has partitions 0 to ${partitions.length - 1}`;
      throw new LogSourceError(message, { code: "UNKNOWN_PARTITION", topic, partition });
    }
    return log;
  }

  #assertUsable(signal: AbortSignal | undefined): void {
    if (this.#closed) throw new LogSourceError("the memory log is closed", { code: "CLOSED" });
    signal?.throwIfAborted();
  }
}

function refuseOutOfRange(log: MemoryPartition, offset: bigint, mark: string | undefined): void {
  const found = mark === undefined ? undefined : log.find(mark);
  if (found === "other-log") throw outOfRange(log, offset, { reason: "other-log" });
  if (offset < log.start) throw outOfRange(log, offset);
  if (found !== undefined && offset > found.end) {
    throw outOfRange(log, offset, { reason: "truncated", divergedAt: found.end });
  }
  if (offset > log.end) throw outOfRange(log, offset);
}

function outOfRange(
  { topic, partition, start, end }: MemoryPartition,
  requested: bigint,
  why: Pick<OffsetOutOfRangeErrorOptions, "reason" | "divergedAt"> = {},
): OffsetOutOfRangeError {
  return new OffsetOutOfRangeError({ topic, partition, requested, earliest: start, latest: end, ...why });
}

/** Waits until the partition changes or the time is up; an abort rejects with the signal's reason. */
function changeOf(log: MemoryPartition, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      clearTimeout(timer);
      log.waiters.delete(end);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted === true) reject(signal.reason);
      else resolve();
    };
    const timer = setTimeout(end, waitMs);
    log.waiters.add(end);
    signal?.addEventListener("abort", end, { once: true });
  });
}

function dropUnset(config: TopicConfig): Omit<Settings, "partitions"> {
  return Object.fromEntries(Object.entries(config).filter(([, value]) => typeof value === "number"));
}

function named(topic: string): string {
  return `topic ${JSON.stringify(topic)}`;
}
