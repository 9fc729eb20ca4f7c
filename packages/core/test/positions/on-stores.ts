import type { LogSource, OffsetStore } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { createMemoryStore } from "@tidemark/store-memory";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A store and a log of a test's own. */
export interface Place extends AsyncDisposable {
  readonly store: OffsetStore<never>;
  readonly log: LogSource;
  /** Makes a topic with so many records in each partition, a second apart from `since` on. */
  fill(topic: string, counts: readonly number[], since?: Date): Promise<void>;
  /** Stores positions, by partition. */
  put(consumer: string, topic: string, positions: readonly (bigint | undefined)[], metadata?: string): Promise<void>;
  /** What is stored of a consumer, as `topic/partition` and the position. */
  positions(consumer: string): Promise<Record<string, bigint | undefined>>;
}

/** The stores that the tests run on. */
export const STORES = ["memory", "sqlite"] as const;

/** Opens a store of that kind and a local log, both in a folder of their own. */
export async function openPlace(kind: (typeof STORES)[number]): Promise<Place> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-positions-"));
  const store = kind === "memory" ? createMemoryStore() : await openSqliteStore({ file: join(folder, "offsets.db") });
  const log = await openLocalLog({ file: join(folder, "log.db") });
  return {
    store,
    log,
    async fill(topic, counts, since = new Date()) {
      await log.admin?.createTopic(topic, { partitions: counts.length });
      for (const [partition, count] of counts.entries()) {
        const records = Array.from({ length: count }, (_, index) => ({
          value: Buffer.from(`${index}`),
          timestampMs: since.getTime() + index * 1000,
        }));
        if (count > 0) await log.producer?.produce(topic, partition, records);
      }
    },
    async put(consumer, topic, positions, metadata) {
      for (const [partition, nextOffset] of positions.entries()) {
        if (nextOffset === undefined) continue;
        await store.reset([{ key: { consumer, topic, partition }, nextOffset, metadata }]);
      }
    },
    async positions(consumer) {
      const found: Record<string, bigint | undefined> = {};
      for await (const { topic, partition, nextOffset } of store.list({ consumer })) {
        found[`${topic}/${partition}`] = nextOffset;
      }
      return found;
    },
    async [Symbol.asyncDispose]() {
      await log.close();
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
