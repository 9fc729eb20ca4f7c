import { assert } from "../../assert.ts";
import type { OffsetKey } from "../../../key.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { type AnyStore, keyOf, newToken } from "../outcomes.ts";

/** More entries than this in one call prove nothing more. */
const ENOUGH = 500;
const ROUNDS = 12;

type Write = (store: AnyStore, keys: readonly OffsetKey[], round: number, signal?: AbortSignal) => Promise<unknown>;

const TOKEN = newToken();

/** The verbs that write, each so that a record shows which round of it was the last. */
const WRITES: Readonly<Record<string, Write>> = {
  commits: (store, keys, round, signal) =>
    store.commit(
      keys.map((key) => ({ key, token: TOKEN, nextOffset: BigInt(round), metadata: `${round}` })),
      { signal },
    ),
  claims: (store, keys, round, signal) =>
    store.claim(
      keys.map((key) => ({ key, token: `${TOKEN} ${round}`, owner: `${round}` })),
      { signal },
    ),
  resets: (store, keys, round, signal) =>
    store.reset(
      keys.map((key) => ({ key, nextOffset: BigInt(round), metadata: `${round}` })),
      { signal },
    ),
};

/** Batches are more than their entries, where the store says so. */
export const wholeBatchCases: readonly ConformanceCase[] = [
  {
    id: "race/batch-is-seen-whole",
    clause: "3.1g",
    title:
      "where batches are atomic, no other client sees a part of the commits, claims or resets that another client writes",
    run: async (context) => {
      const { store } = context;
      const { store: reader } = await context.openAnother();
      for (const [what, write] of Object.entries(WRITES)) {
        const keys = await claimedKeys(context, what);
        let writing = true;
        const writer = (async () => {
          for (let round = 1; round <= 3 * ROUNDS; round += 1) await write(store, keys, round);
        })().finally(() => (writing = false));
        // A reader may fail first: then the writer is not waited for any more.
        writer.catch(() => undefined);
        const seen: string[][] = [];
        while (writing) {
          seen.push(await statesOf(reader, keys));
          // A store in memory answers without ever leaving the microtasks.
          await new Promise((resolve) => setImmediate(resolve));
        }
        await writer;
        if (!store.capabilities.atomicBatch) continue;
        const torn = seen.find((states) => new Set(states).size > 1);
        assert.equal(torn, undefined, `a fetch saw a part of ${keys.length} ${what}: ${[...new Set(torn)].join("; ")}`);
      }
    },
  },
  {
    id: "batch/given-up-halfway",
    clause: "3.1g",
    title: "where batches are atomic, one that its caller gives up, or is cut off from, is written whole or not at all",
    run: async (context) => {
      const writer = await context.openAnother({ timeout: 1_000 });
      const { store: reader } = context;
      for (const [what, write] of Object.entries(WRITES)) {
        const keys = await claimedKeys(context, what);
        for (let round = 1; round <= ROUNDS; round += 1) {
          const controller = new AbortController();
          const call = write(writer.store, keys, round, controller.signal).catch(() => undefined);
          // A little later each time, so that some are given up before, some while, and some after they are written.
          for (let turns = 1; turns < round; turns += 1) await new Promise((resolve) => setImmediate(resolve));
          if (round % 6 === 0 && writer.interrupt !== undefined) {
            const restore = await context.interrupt(writer);
            await call;
            await restore();
          }
          controller.abort();
          await call;
          const states = new Set(await statesOf(reader, keys));
          if (!reader.capabilities.atomicBatch) continue;
          assert.equal(states.size, 1, `a part of ${keys.length} ${what} was written: ${[...states].join("; ")}`);
        }
      }
    },
  },
];

async function claimedKeys({ store, capabilities }: ConformanceContext, topic: string): Promise<OffsetKey[]> {
  const count = Math.min(ENOUGH, capabilities.maxBatch);
  const keys = Array.from({ length: count }, (_, partition) => keyOf({ topic, partition }));
  await store.claim(keys.map((key) => ({ key, token: TOKEN, owner: "o" })));
  return keys;
}

async function statesOf(store: AnyStore, keys: readonly OffsetKey[]): Promise<string[]> {
  const outcomes = await store.fetch(keys);
  return outcomes.map((outcome) => {
    if (outcome.status !== "found") return outcome.status;
    const { nextOffset, metadata, owner } = outcome.record;
    return `${nextOffset} ${metadata} ${owner}`;
  });
}
