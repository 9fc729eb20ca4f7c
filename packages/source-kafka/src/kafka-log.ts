import type { ConnectionOptions as TlsConnectionOptions } from "node:tls";
import type { CallOptions, LogAdmin, LogProducer, LogSource } from "@tidemark/core";
import {
  validateCallOptions,
  validateFetchRequest,
  validateListOffsets,
  validateOffset,
  validatePartition,
  validateRecords,
  validateTopic,
  validateTopicAlteration,
  validateTopicConfig,
} from "@tidemark/core/driver";
import { Cluster } from "./cluster.ts";
import type { KafkaSaslOptions } from "./kafka-credentials.ts";
import { resolveKafkaLogOptions } from "./kafka-log-options.ts";
import type { LogCall } from "./log-call.ts";
import { LogReader } from "./log-reader.ts";
import { LogTopics } from "./log-topics.ts";
import { LogWriter } from "./log-writer.ts";
import { TopicSettings } from "./topic-settings.ts";

/** How a {@link KafkaLog} is opened. */
export interface KafkaLogOptions {
  /** Some of the cluster's brokers as `HOST:PORT`, port 9092 if left out. They name the others. */
  readonly brokers: readonly string[];
  /** The name of this client in the brokers' logs and quotas. Default `tidemark`. */
  readonly clientId?: string | undefined;
  /** TLS: `true`, or the options of Node's `tls.connect`, for example `{ ca }`. Default: none. */
  readonly tls?: boolean | TlsConnectionOptions | undefined;
  /** Credentials: `{ mechanism: "SCRAM-SHA-256", username, password }`, or a token's. Default: none. */
  readonly sasl?: KafkaSaslOptions | undefined;
  /**
   * `"read_committed"` (default): records of a transaction are delivered once it is committed, in their place, and those of
   * aborted ones never; the log ends before the first open transaction. `"read_uncommitted"`: all records are delivered at once.
   */
  readonly isolation?: "read_committed" | "read_uncommitted" | undefined;
  /**
   * Milliseconds for which a call retries after its first failure, while brokers are down, silent or changing leaders, before it
   * rejects. `maxWait` comes on top. Default 10,000.
   */
  readonly timeout?: number | undefined;
  /** Milliseconds to connect to one broker, authentication included. Default 5,000. */
  readonly connectTimeout?: number | undefined;
}

/** The topics of an Apache Kafka cluster. */
export interface KafkaLog extends LogSource {
  /**
   * Creates, describes, changes and deletes topics. Settings that you leave out are decided by the brokers. A
   * `consumerTtl` is stored in the compacted topic `__tidemark_topic_settings`, which is created with the first one. Settings
   * that this client's ACLs do not let it see are left out of descriptions.
   */
  readonly admin: LogAdmin;
  /**
   * Writes records once, acknowledged by all replicas in sync: as one batch, all or none, if the topic accepts it,
   * otherwise as several, one after the other. If it rejects with `UNAVAILABLE` or `TIMEOUT`, or is aborted, a batch
   * may have been written nevertheless; of several, the message says how many records were certainly written.
   */
  readonly producer: LogProducer;
  /**
   * Removes the records before an offset (DeleteRecords). Resolves with the first offset that can be read from then on.
   * Beyond the log's end it rejects with an `OffsetOutOfRangeError`.
   */
  deleteRecords(topic: string, partition: number, beforeOffset: bigint, options?: CallOptions): Promise<bigint>;
}

/**
 * Opens a Kafka cluster (1.0 or later, or a compatible service) as a log. Rejects with a `LogSourceError` if no broker can be reached:
 * `UNAVAILABLE`, `TIMEOUT`, `PERMISSION_DENIED` for wrong credentials, `UNSUPPORTED` for brokers that are too old.
 */
export async function openKafkaLog(options: KafkaLogOptions): Promise<KafkaLog> {
  const { cluster: clusterOptions, isolationLevel } = resolveKafkaLogOptions(options);
  const cluster = new Cluster(clusterOptions);
  const reader = new LogReader(cluster, isolationLevel);
  const writer = new LogWriter(cluster, reader);
  const topics = new LogTopics(cluster, new TopicSettings(cluster, reader, writer));
  const close = async (): Promise<void> => {
    const closed = cluster.close();
    reader.close();
    await closed;
  };
  try {
    await cluster.meet();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    name: "kafka",
    admin: {
      async createTopic(name, config, call) {
        validateTopic(name);
        validateTopicConfig(config);
        await topics.create(name, config, about(call, name));
      },
      async listTopics(call) {
        return topics.list(about(call));
      },
      async describeTopic(name, call) {
        validateTopic(name);
        return topics.describe(name, about(call, name));
      },
      async alterTopic(name, alteration, call) {
        validateTopic(name);
        validateTopicAlteration(alteration);
        await topics.alter(name, alteration, about(call, name));
      },
      async deleteTopic(name, call) {
        validateTopic(name);
        await topics.delete(name, about(call, name));
      },
    },
    producer: {
      async produce(topic, partition, records, call) {
        validateTopic(topic);
        validatePartition(partition);
        validateRecords(records);
        return writer.produce(topic, partition, records, about(call, topic, partition));
      },
    },
    async partitions(topic, call) {
      validateTopic(topic);
      return topics.partitions(topic, about(call, topic));
    },
    async fetch(request) {
      validateFetchRequest(request);
      return reader.fetch(request);
    },
    async listOffsets(topic, entries, call) {
      validateTopic(topic);
      validateListOffsets(entries);
      return reader.listOffsets(topic, entries, about(call, topic));
    },
    async deleteRecords(topic, partition, beforeOffset, call) {
      validateTopic(topic);
      validatePartition(partition);
      validateOffset("beforeOffset", beforeOffset);
      return writer.deleteRecords(topic, partition, beforeOffset, about(call, topic, partition));
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
