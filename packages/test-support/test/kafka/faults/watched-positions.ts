import { setTimeout as pause } from "node:timers/promises";
import type { OffsetStore } from "@tidemark/core";

const LOOK_EVERY_MS = 10;

/** Looks at the stored positions of a consumer again and again. */
export interface WatchedPositions {
  /** The position of each partition, as last seen. */
  readonly positions: readonly bigint[];
  /** Ends it. Rejects if a position was ever seen to go back, or could not be read. */
  stop(): Promise<void>;
}

/** Begins to look, with a client of the store that is not the consumer's. */
export function watchPositions(
  store: OffsetStore<unknown>,
  consumer: string,
  topic: string,
  partitions: number,
): WatchedPositions {
  const keys = Array.from({ length: partitions }, (_, partition) => ({ consumer, topic, partition }));
  const positions = keys.map(() => 0n);
  let stopped = false;
  const look = async (): Promise<void> => {
    const outcomes = await store.fetch(keys);
    outcomes.forEach((outcome, partition) => {
      if (outcome.status === "failed") throw outcome.error;
      const before = positions[partition] ?? 0n;
      const now = outcome.status === "found" ? (outcome.record.nextOffset ?? 0n) : 0n;
      if (now < before) throw new Error(`partition ${partition} went back from ${before} to ${now}`);
      positions[partition] = now;
    });
  };
  const watching = (async () => {
    while (!stopped) {
      await look();
      await pause(LOOK_EVERY_MS);
    }
    await look();
  })();
  watching.catch(() => undefined);
  return {
    positions,
    async stop() {
      stopped = true;
      await watching;
    },
  };
}
