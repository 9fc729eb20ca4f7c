import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP, LogSourceError, OffsetOutOfRangeError } from "@tidemark/core";
import type { Cluster, TopicMetadata } from "./cluster.ts";
import { CREATE_TOPICS } from "./kafka-apis.ts";
import { throwIfRefused, TOPIC_ALREADY_EXISTS } from "./kafka-errors.ts";
import type { LogCall } from "./log-call.ts";
import type { LogReader } from "./log-reader.ts";
import type { LogWriter } from "./log-writer.ts";

/** Where the settings of topics are kept that Kafka has no place for. Made when the first one is set. */
export const SETTINGS_TOPIC = "__tidemark_topic_settings";

const MAX_BYTES = 1_048_576;

interface StoredSettings {
  readonly topicId: string;
  readonly consumerTtl: number;
}

/**
 * Keeps the time that consumers' positions on a topic live. Kafka refuses settings that it does not know, so they are
 * records of a compacted topic: a topic's name as the key, its id and settings as JSON. The id distinguishes a recreated
 * topic from the former one.
 */
export class TopicSettings {
  readonly #cluster: Cluster;
  readonly #reader: LogReader;
  readonly #writer: LogWriter;
  readonly #settings = new Map<string, StoredSettings>();
  #topicId: string | undefined;
  #nextOffset = 0n;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(cluster: Cluster, reader: LogReader, writer: LogWriter) {
    this.#cluster = cluster;
    this.#reader = reader;
    this.#writer = writer;
  }

  /** Reads on, then gives by topic how long its consumers' positions live. Nothing where this client may not read them. */
  async read(call: LogCall): Promise<(topic: TopicMetadata) => number | undefined> {
    const reading = this.#reading.then(async () => this.#readOn(call));
    this.#reading = reading.catch(() => undefined);
    await reading;
    return ({ name, topicId }) => {
      const stored = this.#settings.get(name ?? "");
      return stored?.topicId === topicId ? stored.consumerTtl : undefined;
    };
  }

  /** Sets or, with `null`, removes the time. */
  async write(topic: TopicMetadata, consumerTtl: number | null, call: LogCall): Promise<void> {
    const { topicId } = topic;
    const about = { ...call, topic: SETTINGS_TOPIC, partition: 0 };
    const key = Buffer.from(topic.name ?? "");
    const value = consumerTtl === null ? null : Buffer.from(JSON.stringify({ topicId, consumerTtl }));
    await this.#makeTopic(about);
    await this.#writer.produce(SETTINGS_TOPIC, 0, [{ key, value }], about);
  }

  async #readOn({ signal }: LogCall): Promise<void> {
    const call = { topic: SETTINGS_TOPIC, partition: 0, signal };
    try {
      const { topicId } = await this.#cluster.attempt({ ...call, repeatable: true }, () =>
        this.#cluster.topic(SETTINGS_TOPIC),
      );
      const bounds = [EARLIEST_TIMESTAMP, LATEST_TIMESTAMP].map((timestamp) => ({ partition: 0, timestamp }));
      const listed = await this.#reader.listOffsets(SETTINGS_TOPIC, bounds, call);
      const [earliest = 0n, latest = 0n] = listed.map(({ offset }) => offset);
      if (topicId !== this.#topicId || this.#nextOffset < earliest || this.#nextOffset > latest) {
        this.#settings.clear();
        this.#topicId = topicId;
        this.#nextOffset = earliest;
      }
      while (this.#nextOffset < latest) await this.#readSome(call);
    } catch (error) {
      const code = error instanceof LogSourceError ? error.code : undefined;
      if (code === "UNKNOWN_TOPIC" || code === "PERMISSION_DENIED") this.#settings.clear();
      // Compaction ran while we read: the next call begins again.
      else if (error instanceof OffsetOutOfRangeError) this.#topicId = undefined;
      else throw error;
    }
  }

  async #readSome(call: LogCall): Promise<void> {
    const { records, nextOffset } = await this.#reader.fetch({
      topic: SETTINGS_TOPIC,
      partition: 0,
      offset: this.#nextOffset,
      maxBytes: MAX_BYTES,
      maxWait: 500,
      signal: call.signal,
    });
    for (const { key, value } of records) {
      const name = Buffer.from(key ?? []).toString();
      const settings = value === null ? undefined : parseSettings(value);
      if (settings === undefined) this.#settings.delete(name);
      else this.#settings.set(name, settings);
    }
    this.#nextOffset = nextOffset;
  }

  async #makeTopic(call: LogCall): Promise<void> {
    await this.#cluster.attempt({ ...call, repeatable: true }, async () => {
      const { topics: known } = await this.#cluster.metadata([SETTINGS_TOPIC]);
      if (known[0]?.errorCode === 0) return;
      const { timeoutMs } = this.#cluster.options;
      const configs = [{ name: "cleanup.policy", value: "compact" }];
      const topic = { name: SETTINGS_TOPIC, numPartitions: 1, replicationFactor: -1, assignments: [], configs };
      const { topics } = await this.#cluster.callController(CREATE_TOPICS, [[topic], timeoutMs, false]);
      const [made] = topics;
      if (made?.errorCode !== TOPIC_ALREADY_EXISTS) throwIfRefused(made?.errorCode ?? -1, made?.errorMessage);
      await this.#cluster.untilAllSee(SETTINGS_TOPIC, call, ({ errorCode }) => errorCode === 0);
    });
  }
}

/** What a record holds; nothing if another program wrote it. */
function parseSettings(value: Uint8Array): StoredSettings | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(value).toString());
    if (typeof parsed !== "object" || parsed === null) return undefined;
    const { topicId, consumerTtl } = parsed as Partial<StoredSettings>;
    if (typeof topicId !== "string" || typeof consumerTtl !== "number") return undefined;
    return { topicId, consumerTtl };
  } catch {
    return undefined;
  }
}
