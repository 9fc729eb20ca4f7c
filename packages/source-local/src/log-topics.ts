import { randomUUID } from "node:crypto";
import { LogSourceError, type TopicAlteration, type TopicConfig, type TopicDescription } from "@tidemark/core";
import type { LogChanges } from "./log-changes.ts";
import type { LogDatabase } from "./log-database.ts";
import { type LogCall, unknownTopic } from "./log-errors.ts";
import type { LogRetention } from "./log-retention.ts";

type Row = [
  topicId: bigint,
  name: Uint8Array,
  partitions: bigint,
  consumerTtlMs: bigint | null,
  retentionMs: bigint | null,
  retentionBytes: bigint | null,
];

/** Makes, shows, changes and removes topics. */
export class LogTopics {
  readonly #database: LogDatabase;
  readonly #retention: LogRetention;
  readonly #changes: LogChanges;
  readonly #one;
  readonly #all;
  readonly #insert;
  readonly #insertPartition;
  readonly #update;
  readonly #deleteTopic;
  readonly #deletePartitions;
  readonly #drop;

  constructor(database: LogDatabase, retention: LogRetention, changes: LogChanges) {
    this.#database = database;
    this.#retention = retention;
    this.#changes = changes;
    const select = `SELECT topic_id, name, partitions, consumer_ttl_ms, retention_ms, retention_bytes FROM tidemark_log_topic`;
    this.#one = database.prepare(`${select} WHERE name = ?`);
    this.#all = database.prepare(select);
    this.#insert = database.prepare(
      `INSERT INTO tidemark_log_topic (name, mark, partitions, consumer_ttl_ms, retention_ms, retention_bytes)
        VALUES (?, ?, ?, ?, ?, ?) RETURNING topic_id`,
    );
    this.#insertPartition = database.prepare("INSERT INTO tidemark_log_partition (topic_id, partition) VALUES (?, ?)");
    this.#update = database.prepare(
      `UPDATE tidemark_log_topic SET partitions = ?, consumer_ttl_ms = ?, retention_ms = ?, retention_bytes = ?
        WHERE topic_id = ?`,
    );
    this.#deleteTopic = database.prepare("DELETE FROM tidemark_log_topic WHERE topic_id = ?");
    this.#deletePartitions = database.prepare("DELETE FROM tidemark_log_partition WHERE topic_id = ?");
    this.#drop = database.prepare("INSERT INTO tidemark_log_dropped (topic_id) VALUES (?)");
  }

  /** Makes a topic. */
  create(name: string, config: TopicConfig, call: LogCall): Promise<void> {
    return this.#database.write(call, () => {
      if (this.#one.get(Buffer.from(name)) !== undefined) {
        throw new LogSourceError(`topic ${JSON.stringify(name)} already exists; alter it, or delete it first`, {
          code: "TOPIC_EXISTS",
          topic: name,
        });
      }
      const { partitions = 1, consumerTtl, retentionMs, retentionBytes } = config;
      const [topicId] = this.#insert.get(
        Buffer.from(name),
        randomUUID(),
        partitions,
        consumerTtl ?? null,
        retentionMs ?? null,
        retentionBytes ?? null,
      ) as unknown as [bigint];
      this.#addPartitions(topicId, 0, partitions);
    });
  }

  /** All topics, sorted by name. */
  list(call: LogCall): Promise<TopicDescription[]> {
    return this.#database.read(call, () =>
      (this.#all.all() as unknown as Row[]).map(toDescription).sort((a, b) => (a.name < b.name ? -1 : 1)),
    );
  }

  /** One topic. */
  describe(name: string, call: LogCall): Promise<TopicDescription> {
    return this.#database.read(call, () => toDescription(this.#get(name)));
  }

  /** Changes a topic, then applies its retention. */
  async alter(name: string, alteration: TopicAlteration, call: LogCall): Promise<void> {
    const partitions = await this.#database.write(call, () => {
      const row = this.#get(name);
      const before = toDescription(row);
      const count = alteration.partitions ?? before.partitions;
      if (count < before.partitions) {
        throw new RangeError(
          `topic ${JSON.stringify(name)} has ${before.partitions} partitions; they can only grow, not become ${count}`,
        );
      }
      const { consumerTtl = before.consumerTtl, retentionMs = before.retentionMs } = alteration;
      const { retentionBytes = before.retentionBytes } = alteration;
      this.#update.run(count, consumerTtl ?? null, retentionMs ?? null, retentionBytes ?? null, row[0]);
      this.#addPartitions(row[0], before.partitions, count);
      return count;
    });
    if (isNumber(alteration.retentionMs) || isNumber(alteration.retentionBytes)) {
      await this.#retention.applyTo(name, partitions, call);
    }
  }

  /** Removes a topic: it is gone at once, its records in steps after it. */
  async delete(name: string, call: LogCall): Promise<void> {
    await this.#database.write(call, () => {
      const [topicId] = this.#get(name);
      this.#deleteTopic.run(topicId);
      this.#deletePartitions.run(topicId);
      this.#drop.run(topicId);
    });
    this.#changes.wake(name);
    // The topic is deleted even if its rows are not: what is left over goes with the next deletion.
    await this.#retention.sweepDropped(call).catch(() => undefined);
  }

  #get(name: string): Row {
    const row = this.#one.get(Buffer.from(name)) as unknown as Row | undefined;
    if (row === undefined) throw unknownTopic(name);
    return row;
  }

  #addPartitions(topicId: bigint, from: number, to: number): void {
    for (let partition = from; partition < to; partition += 1) this.#insertPartition.run(topicId, partition);
  }
}

function toDescription(row: Row): TopicDescription {
  const [, bytes, partitions, consumerTtl, retentionMs, retentionBytes] = row;
  const name = Buffer.from(bytes).toString();
  return {
    name,
    internal: name.startsWith("__"),
    partitions: Number(partitions),
    ...(consumerTtl !== null && { consumerTtl: Number(consumerTtl) }),
    ...(retentionMs !== null && { retentionMs: Number(retentionMs) }),
    ...(retentionBytes !== null && { retentionBytes: Number(retentionBytes) }),
  };
}

function isNumber(value: number | null | undefined): boolean {
  return typeof value === "number";
}
