import { assert } from "../../assert.ts";

import type { ResetOrigin } from "../../../offset-record.ts";
import type { ResetEntry } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { claim, committed, found, keyOf, newToken, only, reset } from "../outcomes.ts";

const CLIENTS = 8;

/** An operator's write that was planned by what was stored. */
export const conditionalResetCases: readonly ConformanceCase[] = [
  {
    id: "reset/if-next-offset",
    clause: "3.2h",
    title:
      "a reset with ifNextOffset is written only over that position, or with null over none, and answers moved else",
    run: async ({ store }) => {
      const [key, missing, token] = [keyOf(), keyOf({ partition: 1 }), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 2n ** 53n + 1n);
      const before = await found(store, key);
      for (const ifNextOffset of [2n ** 53n, 2n ** 53n + 2n, 0n, null]) {
        const outcome = only(await store.reset([{ key, nextOffset: 3n, ifNextOffset }]));
        assert.deepEqual(outcome, { status: "moved", record: before }, `written although not at ${ifNextOffset}`);
      }
      await committed(store, key, token, 2n ** 53n + 2n);
      const nothing = { status: "moved", record: undefined };
      assert.deepEqual(await store.reset([{ key: missing, nextOffset: 3n, ifNextOffset: 0n }]), [nothing]);
      // A refused entry does not affect the others.
      const both = [missing, key].map((one) => ({ key: one, nextOffset: 3n, ifNextOffset: null }));
      assert.deepEqual(
        (await store.reset(both)).map(({ status }) => status),
        ["reset", "moved"],
      );
      assert.equal((await found(store, missing)).nextOffset, 3n);
      await reset(store, key, 5n, { ifNextOffset: 2n ** 53n + 2n });
      assert.equal((await found(store, key)).nextOffset, 5n);
      const held = keyOf({ partition: 2 });
      await claim(store, held, newToken());
      await reset(store, held, 1n, { ifNextOffset: null });
    },
  },
  {
    id: "reset/if-reset-from",
    clause: "3.2h",
    title: "a reset with ifResetFrom is written only while that is the last reset, wherever the position is by then",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const other: ResetOrigin = { nextOffset: 8n, reason: "operator", at: new Date(0) };
      const moved = async (ifResetFrom: ResetOrigin): Promise<unknown> =>
        only(await store.reset([{ key, nextOffset: 1n, ifResetFrom }]));
      assert.deepEqual(await moved(other), { status: "moved", record: undefined });
      await reset(store, key, 8n);
      assert.deepEqual(await moved(other), { status: "moved", record: await found(store, key) });
      await reset(store, key, 2n);
      const { resetFrom } = await found(store, key);
      assert.ok(resetFrom);
      await claim(store, key, token);
      await committed(store, key, token, 6n);
      const record = await found(store, key);
      for (const wrong of [
        { ...resetFrom, at: new Date(resetFrom.at.getTime() - 1) },
        { ...resetFrom, nextOffset: 9n },
        { ...resetFrom, reason: "start" },
      ]) {
        assert.deepEqual(await moved(wrong), { status: "moved", record }, "written over another reset");
      }
      await reset(store, key, 8n, { ifResetFrom: resetFrom });
      assert.equal((await found(store, key)).nextOffset, 8n);
      assert.deepEqual(await moved(resetFrom), { status: "moved", record: await found(store, key) });
    },
  },
  {
    id: "reset/odd-conditions",
    clause: "3.2h",
    title: "a condition that is no position and no reset is a TypeError or RangeError before anything is written",
    run: async ({ store }) => {
      const key = keyOf();
      const odd: readonly object[] = [
        { ifNextOffset: 1 },
        { ifNextOffset: -1n },
        { ifNextOffset: 2n ** 63n },
        { ifResetFrom: null },
        { ifResetFrom: { reason: "operator" } },
        { ifResetFrom: { reason: "", at: new Date() } },
        { ifResetFrom: { nextOffset: 1, reason: "operator", at: new Date() } },
      ];
      for (const [index, more] of odd.entries()) {
        const entry: ResetEntry = { key, nextOffset: 1n, ...more };
        const isRefusal = (error: unknown): boolean => error instanceof TypeError || error instanceof RangeError;
        await assert.rejects(store.reset([entry]), isRefusal, `reset took the odd condition ${index}`);
      }
      assert.deepEqual(await store.fetch([key]), [{ status: "absent" }], "a refused call has written");
    },
  },
  {
    id: "race/conditional-resets",
    clause: "3.2h",
    title: `of ${CLIENTS} clients that reset one position only while it is there, exactly one does`,
    run: async (context) => {
      const opened = await Promise.all(Array.from({ length: CLIENTS - 1 }, () => context.openAnother()));
      const stores = [context.store, ...opened.map(({ store }) => store)];
      for (let round = 0; round < 5; round += 1) {
        const key = keyOf({ partition: round });
        await reset(context.store, key, 100n);
        const outcomes = await Promise.all(
          stores.map(async (store, index) =>
            only(await store.reset([{ key, nextOffset: BigInt(index), ifNextOffset: 100n }])),
          ),
        );
        const winners = outcomes.flatMap(({ status }, index) => (status === "reset" ? [index] : []));
        assert.equal(winners.length, 1, `${winners.length} of ${CLIENTS} resets were written over one position`);
        const { nextOffset } = await found(context.store, key);
        assert.equal(nextOffset, BigInt(winners[0] ?? -1), "the position is not that of the reset that was written");
        assert.ok(outcomes.every(({ status }) => status === "reset" || status === "moved"));
      }
    },
  },
];
