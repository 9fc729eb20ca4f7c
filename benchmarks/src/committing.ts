import type { OffsetKey, OffsetStore } from "@tidemark/core";
import type { Side } from "./paired.ts";

const TOKEN = "benchmark-token";
/** How many partitions a filling consumer has: as many as the largest flush that is measured, roughly. */
const PARTITIONS = 100;

/** The keys of one consumer on one topic. */
export function keysOf(consumer: string, partitions: number): OffsetKey[] {
  return Array.from({ length: partitions }, (_, partition) => ({ consumer, topic: "benchmark", partition }));
}

/**
 * Claims the partitions of one consumer, and gives the side that commits them: fenced and forward only, each time one offset
 * further, all of them in one call.
 *
 * @param calls - How many calls the side makes, one after the other.
 */
export async function committing(store: OffsetStore, partitions: number, calls: number): Promise<Side> {
  const keys = keysOf(`committer-of-${partitions}`, partitions);
  const epochs = await claim(store, keys);
  let nextOffset = 0n;
  return async () => {
    for (let index = 0; index < calls; index += 1) {
      nextOffset += 1n;
      const outcomes = await store.commit(
        keys.map((key, at) => ({ key, token: TOKEN, epoch: epochs[at], nextOffset })),
      );
      for (const { status } of outcomes) if (status !== "committed") throw new Error(`not committed: ${status}`);
    }
    return calls;
  };
}

/** Stores so many records of other consumers, a hundred partitions each, in calls that are in flight side by side. */
export async function fill(store: OffsetStore, records: number, inFlight: number): Promise<void> {
  let next = 0;
  const consumers = Math.ceil(records / PARTITIONS);
  const worker = async (): Promise<void> => {
    while (next < consumers) {
      const consumer = `filler-${next}`;
      next += 1;
      await claim(store, keysOf(consumer, PARTITIONS));
    }
  };
  await Promise.all(Array.from({ length: inFlight }, worker));
}

async function claim(store: OffsetStore, keys: readonly OffsetKey[]): Promise<number[]> {
  const outcomes = await store.claim(keys.map((key) => ({ key, token: TOKEN, owner: "benchmark" })));
  return outcomes.map((outcome) => {
    if (outcome.status === "claimed") return outcome.epoch;
    throw outcome.status === "failed" ? outcome.error : new Error("the key is held");
  });
}
