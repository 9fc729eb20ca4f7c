import { resolve } from "node:path";
import type { CallOptions, LogAdmin, LogProducer, LogSource } from "@tidemark/core";
import {
  validateCallOptions,
  validateFetchRequest,
  validateListOffsets,
  validateLogOptionNames,
  validateOffset,
  validatePartition,
  validateRecords,
  validateTimeout,
  validateTopic,
  validateTopicAlteration,
  validateTopicConfig,
} from "@tidemark/core/driver";
import { LogChanges } from "./log-changes.ts";
import { type LogDatabase, openLogDatabase } from "./log-database.ts";
import type { LogCall } from "./log-errors.ts";
import { LogReader } from "./log-reader.ts";
import { LogRetention } from "./log-retention.ts";
import { LogTopics } from "./log-topics.ts";
import { LogWriter } from "./log-writer.ts";
import { PartitionStates } from "./partition-state.ts";

const DEFAULT_TIMEOUT_MS = 10_000;

/** How a {@link LocalLog} is opened. */
export interface LocalLogOptions {
  /** The SQLite file. It is created if it is missing, its folder is not. Other tables in it are not touched. */
  readonly file: string;
  /**
   * `"full"` (default): produced records survive a power cut. `"normal"`: they survive the end of the process, but a power cut
   * may lose the latest batches; producing in small batches is several times faster.
   */
  readonly synchronous?: "full" | "normal" | undefined;
  /** Milliseconds that a call waits for other processes' locks before it ends with `TIMEOUT`. Default 10,000. */
  readonly timeout?: number | undefined;
}

/** A durable log in one SQLite file, for any number of processes at once. */
export interface LocalLog extends LogSource {
  /**
   * Creates, describes, changes and deletes topics. A deleted topic disappears at once; its records are removed before
   * the call resolves.
   */
  readonly admin: LogAdmin;
  /** Writes records. */
  readonly producer: LogProducer;
  /**
   * Removes the records before an offset, as Kafka's DeleteRecords. Resolves with the first offset that can be read from
   * then on. Beyond the log's end it rejects with an `OffsetOutOfRangeError`.
   */
  deleteRecords(topic: string, partition: number, beforeOffset: bigint, options?: CallOptions): Promise<bigint>;
  /**
   * Removes everything that is too old for the topics' retention. Not needed for correct answers: what is too old cannot be
   * read in any case, and is removed when its partition is next written or read.
   */
  applyRetention(options?: CallOptions): Promise<void>;
}

/**
 * Opens a log. Rejects with a `LogSourceError`: `CORRUPT_LOG` if the file is not SQLite's or not of our shape,
 * `PERMISSION_DENIED`, `UNAVAILABLE` if its folder does not exist, `TIMEOUT` if it stays locked, `UNSUPPORTED` on a file system without shared memory.
 */
export async function openLocalLog(options: LocalLogOptions): Promise<LocalLog> {
  validateLogOptionNames(options, ["file", "synchronous", "timeout"]);
  const { file, synchronous = "full", timeout = DEFAULT_TIMEOUT_MS } = options;
  if (typeof file !== "string") throw new TypeError(`file must be a string, not ${typeof file}`);
  if (file === "" || file.includes("\0")) throw new TypeError(`file must be a path, not ${JSON.stringify(file)}`);
  if (synchronous !== "full" && synchronous !== "normal") {
    throw new TypeError(`synchronous must be "full" or "normal", not ${JSON.stringify(synchronous)}`);
  }
  validateTimeout("timeout", timeout);
  return createLocalLog(await openLogDatabase({ file: resolve(file), synchronous, timeout }));
}

/** Makes a log of an open file, which it then owns. */
export function createLocalLog(database: LogDatabase): LocalLog {
  const states = new PartitionStates(database);
  const changes = new LogChanges(database);
  const retention = new LogRetention(database, states);
  const reader = new LogReader(database, states, retention, changes);
  const writer = new LogWriter(database, states, retention, changes);
  const topics = new LogTopics(database, retention, changes);
  const close = async (): Promise<void> => database.close();
  return {
    name: "local",
    admin: {
      async createTopic(name, config, options) {
        validateTopic(name);
        validateTopicConfig(config);
        await topics.create(name, config, about(options, name));
      },
      async listTopics(options) {
        return topics.list(about(options));
      },
      async describeTopic(name, options) {
        validateTopic(name);
        return topics.describe(name, about(options, name));
      },
      async alterTopic(name, alteration, options) {
        validateTopic(name);
        validateTopicAlteration(alteration);
        await topics.alter(name, alteration, about(options, name));
      },
      async deleteTopic(name, options) {
        validateTopic(name);
        await topics.delete(name, about(options, name));
      },
    },
    producer: {
      async produce(topic, partition, records, options) {
        validateTopic(topic);
        validatePartition(partition);
        validateRecords(records);
        return writer.produce(topic, partition, records, about(options, topic, partition));
      },
    },
    async partitions(topic, options) {
      validateTopic(topic);
      const { partitions } = await topics.describe(topic, about(options, topic));
      return Array.from({ length: partitions }, (_, partition) => partition);
    },
    async fetch(request) {
      validateFetchRequest(request);
      return reader.fetch(request);
    },
    async listOffsets(topic, entries, options) {
      validateTopic(topic);
      validateListOffsets(entries);
      return reader.listOffsets(topic, entries, about(options, topic));
    },
    async deleteRecords(topic, partition, beforeOffset, options) {
      validateTopic(topic);
      validatePartition(partition);
      validateOffset("beforeOffset", beforeOffset);
      return retention.deleteBefore(topic, partition, beforeOffset, about(options, topic, partition));
    },
    async applyRetention(options) {
      await retention.applyAll(about(options));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function about(options: CallOptions | undefined, topic?: string, partition?: number): LogCall {
  validateCallOptions(options);
  return {
    signal: options?.signal,
    ...(topic !== undefined && { topic }),
    ...(partition !== undefined && { partition }),
  };
}
