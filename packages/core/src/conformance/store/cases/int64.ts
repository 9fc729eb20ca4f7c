import { assert } from "../../assert.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { claim, claimed, commit, committed, found, keyOf, listed, newToken, reset, rewound } from "../outcomes.ts";

const MAX_OFFSET = 2n ** 63n - 1n;

/** Neighbours that a store which computes with doubles, 32 bits or unpadded text takes for equal or for the wrong order. */
const NEIGHBOURS: readonly (readonly [bigint, bigint])[] = [
  [0n, 1n],
  [9n, 10n],
  [99n, 100n],
  [2n, 10n],
  [2n ** 31n - 1n, 2n ** 31n],
  [2n ** 32n - 1n, 2n ** 32n],
  [2n ** 53n - 1n, 2n ** 53n],
  [2n ** 53n, 2n ** 53n + 1n],
  [2n ** 53n + 1n, 2n ** 53n + 2n],
  [2n ** 60n + 1n, 2n ** 60n + 2n],
  [999_999_999_999_999_999n, 1_000_000_000_000_000_000n],
  [MAX_OFFSET - 1n, MAX_OFFSET],
];

/** Positions are 64-bit integers. */
export const int64Cases: readonly ConformanceCase[] = [
  {
    id: "int64/round-trip",
    clause: "3.8a",
    title: "every position from 0 to 2^63 - 1 comes back exactly, from fetch, list, claim and behind",
    run: async ({ store }) => {
      const token = newToken();
      for (const [index, nextOffset] of NEIGHBOURS.flat().entries()) {
        const key = keyOf({ partition: index });
        await claim(store, key, token);
        await committed(store, key, token, nextOffset);
        assert.equal((await found(store, key)).nextOffset, nextOffset);
        assert.equal((await listed(store, key))[0]?.nextOffset, nextOffset);
        if (nextOffset > 0n) {
          const outcome = await commit(store, key, token, nextOffset - 1n);
          assert.equal("record" in outcome && outcome.record.nextOffset, nextOffset);
        }
        assert.equal((await claim(store, key, token))?.nextOffset, nextOffset);
        await reset(store, key, nextOffset);
        assert.equal((await found(store, key)).nextOffset, nextOffset);
      }
    },
  },
  {
    id: "int64/compared-as-numbers",
    clause: "3.8b",
    title: "neighbouring positions are distinct and in order: 2^53 and 2^53 + 1, 9 and 10, 99 and 100",
    run: async ({ store }) => {
      const token = newToken();
      for (const [index, [lower, higher]] of NEIGHBOURS.entries()) {
        const key = keyOf({ partition: index });
        await claim(store, key, token);
        await committed(store, key, token, lower);
        await committed(store, key, token, higher);
        assert.equal((await found(store, key)).nextOffset, higher, `${higher} did not follow ${lower}`);
        const outcome = await commit(store, key, token, lower);
        assert.equal(outcome.status, "behind", `${lower} passed for not behind ${higher}`);
        await committed(store, key, token, higher);
        assert.equal((await found(store, key)).nextOffset, higher);
      }
    },
  },
  {
    id: "int64/rewind-compared-exactly",
    clause: "3.8b",
    title: "a repeated rewind is known by its position exactly: a neighbour of the stored one is another",
    run: async ({ store }) => {
      const token = newToken();
      for (const [index, [lower, higher]] of NEIGHBOURS.entries()) {
        const key = keyOf({ partition: index });
        const { epoch } = await claimed(store, key, token);
        await committed(store, key, token, higher, { epoch });
        const next = await rewound(store, key, token, lower, { epoch });
        const outcome = await commit(store, key, token, higher, { epoch, rewind: true });
        assert.equal(outcome.status, "fenced", `a rewind to ${higher} passed for one to the stored ${lower}`);
        assert.equal(await rewound(store, key, token, lower, { epoch }), next);
        assert.equal((await found(store, key)).nextOffset, lower);
      }
    },
  },
  {
    id: "int64/out-of-range",
    clause: "3.8a",
    title:
      "a negative position or one of 2^63 and more is a RangeError, a number a TypeError, before anything is written",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      for (const nextOffset of [-1n, 2n ** 63n, 2n ** 64n]) {
        await assert.rejects(store.commit([{ key, token, nextOffset, recreate: true }]), RangeError);
        await assert.rejects(store.reset([{ key, nextOffset }]), RangeError);
        const more = { key, token, nextOffset: 0n, recreate: true };
        await assert.rejects(store.commit([{ ...more, resetFrom: { nextOffset, reason: "start" } }]), RangeError);
        await assert.rejects(store.commit([{ ...more, acknowledged: [{ from: 1n, to: nextOffset }] }]), RangeError);
      }
      const number = 1 as unknown as bigint;
      await assert.rejects(store.commit([{ key, token, nextOffset: number, recreate: true }]), TypeError);
      await assert.rejects(store.reset([{ key, nextOffset: number }]), TypeError);
      assert.deepEqual(await listed(store), []);
    },
  },
];
