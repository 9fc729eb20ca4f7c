import type { CommitEntry, OffsetStore } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";

/** The consumer's name in these tests. */
export const CONSUMER = "c1";

/** A store in memory that remembers what was asked of it. */
export interface WatchedStore {
  readonly store: OffsetStore;
  /** Every position that was sent, in this order; claims that end without one are left out. */
  readonly commits: CommitEntry[];
  /** Writes a position as an operator would. */
  put(topic: string, nextOffset: bigint, partitions?: readonly number[]): Promise<void>;
  /** What is stored. */
  position(topic: string, partition?: number): Promise<bigint | undefined>;
}

/** Makes an empty one. */
export function watchedStore(): WatchedStore {
  const store = createMemoryStore();
  const commits: CommitEntry[] = [];
  const commit = store.commit.bind(store);
  store.commit = (entries, options) => {
    commits.push(...entries.filter(({ nextOffset }) => nextOffset !== undefined));
    return commit(entries, options);
  };
  return {
    store,
    commits,
    async put(topic, nextOffset, partitions = [0]) {
      await store.reset(partitions.map((partition) => ({ key: { consumer: CONSUMER, topic, partition }, nextOffset })));
    },
    async position(topic, partition = 0) {
      const [outcome] = await store.fetch([{ consumer: CONSUMER, topic, partition }]);
      return outcome?.status === "found" ? outcome.record.nextOffset : undefined;
    },
  };
}
