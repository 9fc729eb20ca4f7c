import { ConfigResourceTypes, type describeConfigsV4, IncrementalAlterConfigOperationTypes } from "@platformatic/kafka";
import type { TopicAlteration, TopicConfig, TopicDescription } from "@tidemark/core";
import type { Cluster, TopicMetadata } from "./cluster.ts";
import { ALTER_CONFIGS, CREATE_PARTITIONS, CREATE_TOPICS, DELETE_TOPICS, DESCRIBE_CONFIGS } from "./kafka-apis.ts";
import { BrokerRefusal, throwIfRefused, UNKNOWN_TOPIC_OR_PARTITION } from "./kafka-errors.ts";
import type { LogCall } from "./log-call.ts";
import { unknownTopic } from "./log-errors.ts";
import type { TopicSettings } from "./topic-settings.ts";

const RETENTION_MS = "retention.ms";
const RETENTION_BYTES = "retention.bytes";
const CLEANUP_POLICY = "cleanup.policy";
const BROKERS_DEFAULT = -1;
/** How Kafka says that records stay. */
const FOR_EVER = "-1";

/** Makes, shows, changes and removes topics. */
export class LogTopics {
  readonly #cluster: Cluster;
  readonly #settings: TopicSettings;

  constructor(cluster: Cluster, settings: TopicSettings) {
    this.#cluster = cluster;
    this.#settings = settings;
  }

  /** Makes a topic, leaves to the brokers what is not said, and waits until all of them know it. */
  async create(name: string, config: TopicConfig, call: LogCall): Promise<void> {
    const { partitions, consumerTtl, retentionMs, retentionBytes } = config;
    const topic = {
      name,
      numPartitions: partitions ?? BROKERS_DEFAULT,
      replicationFactor: BROKERS_DEFAULT,
      assignments: [],
      configs: retentionConfigs(retentionMs, retentionBytes),
    };
    const { timeoutMs } = this.#cluster.options;
    await this.#cluster.attempt({ ...call, repeatable: false }, async () => {
      const { topics } = await this.#cluster.callController(CREATE_TOPICS, [[topic], timeoutMs, false]);
      throwIfRefused(topics[0]?.errorCode ?? -1, topics[0]?.errorMessage);
    });
    await this.#cluster.untilAllSee(name, call, (seen) => isWhole(seen, partitions ?? 1));
    if (typeof consumerTtl === "number") await this.#settings.write(await this.#topic(name, call), consumerTtl, call);
  }

  /** All topics, sorted by name. */
  async list(call: LogCall): Promise<TopicDescription[]> {
    const { topics } = await this.#cluster.attempt({ ...call, repeatable: true }, () => this.#cluster.metadata(null));
    const known = topics.filter(({ name, errorCode }) => name !== null && errorCode === 0);
    const described = await this.#describe(known, call);
    return described.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** One topic. */
  async describe(name: string, call: LogCall): Promise<TopicDescription> {
    const [description] = await this.#describe([await this.#topic(name, call)], call);
    if (description === undefined) throw unknownTopic(name);
    return description;
  }

  /** The numbers of a topic's partitions. */
  async partitions(name: string, call: LogCall): Promise<number[]> {
    const { partitions } = await this.#topic(name, call);
    return partitions.map(({ partitionIndex }) => partitionIndex).sort((a, b) => a - b);
  }

  /** Changes a topic: first its partitions, then its retention, then what Tidemark keeps of it. */
  async alter(name: string, alteration: TopicAlteration, call: LogCall): Promise<void> {
    const topic = await this.#topic(name, call);
    const { partitions: count = topic.partitions.length, consumerTtl, retentionMs, retentionBytes } = alteration;
    if (count < topic.partitions.length) {
      const has = topic.partitions.length;
      throw new RangeError(
        `topic ${JSON.stringify(name)} has ${has} partitions; they can only grow, not become ${count}`,
      );
    }
    if (count > topic.partitions.length) await this.#addPartitions(name, count, call);
    const configOperation = IncrementalAlterConfigOperationTypes.SET;
    const configs = retentionConfigs(retentionMs, retentionBytes).map((config) => ({ ...config, configOperation }));
    if (configs.length > 0) {
      const resource = { resourceType: ConfigResourceTypes.TOPIC, resourceName: name, configs };
      await this.#cluster.attempt({ ...call, repeatable: true }, async () => {
        const { responses } = await this.#cluster.callController(ALTER_CONFIGS, [[resource], false]);
        throwIfRefused(responses[0]?.errorCode ?? -1, responses[0]?.errorMessage);
      });
      await this.#untilConfigured(name, configs, call);
    }
    if (consumerTtl !== undefined) await this.#settings.write(topic, consumerTtl, call);
  }

  /** Removes a topic, and waits until no broker knows it. */
  async delete(name: string, call: LogCall): Promise<void> {
    const topic = await this.#topic(name, call);
    const ttlOf = await this.#settings.read(call);
    const { timeoutMs } = this.#cluster.options;
    await this.#cluster.attempt({ ...call, repeatable: false }, async () => {
      const { responses } = await this.#cluster.callController(DELETE_TOPICS, [[{ name, topicId: null }], timeoutMs]);
      const [deleted] = responses;
      if (deleted?.errorCode === UNKNOWN_TOPIC_OR_PARTITION) throw unknownTopic(name);
      throwIfRefused(deleted?.errorCode ?? -1, deleted?.errorMessage);
    });
    await this.#cluster.untilAllSee(name, call, ({ errorCode }) => errorCode === UNKNOWN_TOPIC_OR_PARTITION);
    if (ttlOf(topic) !== undefined) await this.#settings.write(topic, null, call);
  }

  async #topic(name: string, call: LogCall): Promise<TopicMetadata> {
    return this.#cluster.attempt({ ...call, repeatable: true }, () => this.#cluster.topic(name));
  }

  async #addPartitions(name: string, count: number, call: LogCall): Promise<void> {
    const { timeoutMs } = this.#cluster.options;
    const topic = { name, count, assignments: null };
    await this.#cluster.attempt({ ...call, repeatable: false }, async () => {
      const { results } = await this.#cluster.callController(CREATE_PARTITIONS, [[topic], timeoutMs, false]);
      throwIfRefused(results[0]?.errorCode ?? -1, results[0]?.errorMessage);
    });
    await this.#cluster.untilAllSee(name, call, (seen) => isWhole(seen, count));
  }

  async #describe(topics: readonly TopicMetadata[], call: LogCall): Promise<TopicDescription[]> {
    if (topics.length === 0) return [];
    const [configs, ttlOf] = await Promise.all([this.#configs(topics, call), this.#settings.read(call)]);
    return topics.map((topic): TopicDescription => {
      const name = topic.name ?? "";
      const config = configs.get(name);
      const consumerTtl = ttlOf(topic);
      // Of a topic that is compacted only, the newest record of each key stays.
      const deletes = config?.get(CLEANUP_POLICY)?.includes("delete") === true;
      const retentionMs = deletes ? limitOf(config?.get(RETENTION_MS)) : undefined;
      const retentionBytes = deletes ? limitOf(config?.get(RETENTION_BYTES)) : undefined;
      return {
        name,
        internal: topic.isInternal || name.startsWith("__"),
        partitions: topic.partitions.length,
        ...(consumerTtl !== undefined && { consumerTtl }),
        ...(retentionMs !== undefined && { retentionMs }),
        ...(retentionBytes !== undefined && { retentionBytes }),
      };
    });
  }

  /** Waits until all brokers return what was set: the controller answers before they know of it. */
  async #untilConfigured(name: string, configs: readonly TopicConfigEntry[], call: LogCall): Promise<void> {
    await this.#cluster.untilAllAgree(call, async (broker) => {
      const seen = configsByTopic(await this.#cluster.call(broker, DESCRIBE_CONFIGS, describeConfigsOf([name]))).get(
        name,
      );
      // Who may not see it need not wait for it.
      return seen === undefined || configs.every((config) => seen.get(config.name) === config.value);
    });
  }

  /** The settings of topics by name; none of a topic whose settings this client may not see. */
  async #configs(topics: readonly TopicMetadata[], call: LogCall): Promise<Map<string, Map<string, string>>> {
    const names = topics.map(({ name }) => name ?? "");
    return this.#cluster.attempt({ ...call, repeatable: true }, async () =>
      configsByTopic(await this.#cluster.callController(DESCRIBE_CONFIGS, describeConfigsOf(names))),
    );
  }
}

interface TopicConfigEntry {
  readonly name: string;
  readonly value: string;
}

/** What Kafka calls it; `null` is forever, and nothing is said of what is absent. */
function retentionConfigs(ms: number | null | undefined, bytes: number | null | undefined): TopicConfigEntry[] {
  const given = [
    [RETENTION_MS, ms],
    [RETENTION_BYTES, bytes],
  ] as const;
  return given.flatMap(([name, value]) => (value === undefined ? [] : { name, value: String(value ?? FOR_EVER) }));
}

function describeConfigsOf(topics: readonly string[]): describeConfigsV4.DescribeConfigsRequest {
  const configurationKeys = [RETENTION_MS, RETENTION_BYTES, CLEANUP_POLICY];
  const resourceType = ConfigResourceTypes.TOPIC;
  return [topics.map((resourceName) => ({ resourceType, resourceName, configurationKeys })), false, false];
}

function configsByTopic(answer: describeConfigsV4.DescribeConfigsResponse): Map<string, Map<string, string>> {
  const byTopic = new Map<string, Map<string, string>>();
  for (const { resourceName, errorCode, errorMessage, configs } of answer.results) {
    const refusal = errorCode === 0 ? undefined : new BrokerRefusal(errorCode, errorMessage);
    // One that was deleted meanwhile has no settings either.
    if (refusal?.authorization === true || errorCode === UNKNOWN_TOPIC_OR_PARTITION) continue;
    if (refusal !== undefined) throw refusal;
    byTopic.set(resourceName, new Map(configs.map(({ name, value }) => [name, value ?? ""])));
  }
  return byTopic;
}

/** Whether a broker knows all partitions of a topic and their leaders. */
function isWhole({ errorCode, partitions }: TopicMetadata, count: number): boolean {
  return errorCode === 0 && partitions.length >= count && partitions.every(({ leaderId }) => leaderId >= 0);
}

function limitOf(value: string | undefined): number | undefined {
  const limit = Number(value ?? FOR_EVER);
  return limit >= 0 ? limit : undefined;
}
