import { assert } from "../../assert.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { type AnyStore, keyOf, newToken } from "../outcomes.ts";

const OTHERS = 3_000;
const PARTITIONS = 100;
const ROUNDS = 25;
/** What a commit may take more: nothing that grows with the number of records stays below it. */
const FACTOR = 5;
const SLACK_MS = 2;
/** How long a moment is waited for in which the machine is as idle as it was among none: half of what a case may take by default. */
const PATIENCE_MS = 30_000;

/** What calls cost. */
export const costCases: readonly ConformanceCase[] = [
  {
    id: "race/cost",
    clause: "3.10a",
    title: `${PARTITIONS} commits among ${OTHERS} records of others cost what they cost among none`,
    run: async ({ store }) => {
      const token = newToken();
      // Before all others by their names, and after them: a scan from either end is slow for one of them.
      const groups = ["a", "~"].map((consumer) =>
        Array.from({ length: PARTITIONS }, (_, partition) => keyOf({ consumer, topic: consumer, partition })),
      );
      for (const keys of groups) await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      let nextOffset = 0n;
      /** What each group takes, in ascending order. All share one backend, so that they come one after the other. */
      const costs = async (): Promise<number[][]> => {
        const taken: number[][] = groups.map(() => []);
        for (let round = 0; round < ROUNDS; round += 1) {
          nextOffset += 1n;
          for (const [index, keys] of groups.entries()) {
            const entries = keys.map((key) => ({ key, token, nextOffset }));
            taken[index]?.push(await durationMs(() => store.commit(entries)));
          }
        }
        return taken.map((all) => all.toSorted((a, b) => a - b));
      };
      // On a busy machine a lucky round is no measure of what is usual there; and it makes none faster: the least of many is no accident.
      const among0 = (await costs()).map((taken) => taken[Math.floor(ROUNDS / 2)] ?? 0);
      await fill(store, token);
      let amongMany = (await costs()).map(([least = 0]) => least);
      const isTooSlow = (): boolean => amongMany.some((many, index) => many > FACTOR * (among0[index] ?? 0) + SLACK_MS);
      // What became busy only now is measured for longer: a store that looks through all never comes below.
      const endsAt = performance.now() + PATIENCE_MS;
      while (isTooSlow() && performance.now() < endsAt) {
        const again = await costs();
        amongMany = amongMany.map((many, index) => Math.min(many, again[index]?.[0] ?? many));
      }
      for (const [index, keys] of groups.entries()) {
        const [none, many] = [among0[index] ?? 0, amongMany[index] ?? 0];
        assert.ok(
          many <= FACTOR * none + SLACK_MS,
          `${PARTITIONS} commits of consumer "${keys[0]?.consumer}" take ${many.toFixed(1)} ms among ${OTHERS} records ` +
            `of others and ${none.toFixed(1)} ms among none: is there an index over the whole key?`,
        );
      }
    },
  },
];

/** A consumer at a time: each call has its time-out, and keys that a store keeps together are written together. */
async function fill(store: AnyStore, token: string): Promise<void> {
  for (let consumer = 0; consumer < OTHERS / 100; consumer += 1) {
    const others = Array.from({ length: 100 }, (_, index) =>
      keyOf({ consumer: `other${consumer}`, topic: `t${index % 10}`, partition: Math.floor(index / 10) }),
    );
    await store.claim(others.map((key) => ({ key, token, owner: "o" })));
  }
}

async function durationMs(call: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await call();
  return performance.now() - startedAt;
}
