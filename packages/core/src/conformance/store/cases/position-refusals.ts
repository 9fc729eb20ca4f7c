import { assert } from "../../assert.ts";
import type { OffsetRange } from "../../../offset-record.ts";
import type { CommitEntry } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { claim, committed, fetched, found, keyOf, newToken } from "../outcomes.ts";

/** The most characters of acknowledged ranges as text. */
const MAX_ACKNOWLEDGED = 1_024;

/** What cannot go with a position. */
export const positionRefusalCases: readonly ConformanceCase[] = [
  {
    id: "position/acknowledged-bounds",
    clause: "3.2g",
    title: "ranges are ascending, apart, and beyond the position, up to 1,024 characters; others are refused unwritten",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      const fits = rangesOf(MAX_ACKNOWLEDGED);
      await committed(store, key, token, 10n, { acknowledged: fits });
      assert.deepEqual((await found(store, key)).acknowledged, fits);
      const before = await found(store, key);
      const range = (from: bigint, to: bigint): OffsetRange => ({ from, to });
      const wrong: readonly (readonly OffsetRange[])[] = [
        [range(10n, 11n)],
        [range(9n, 12n)],
        [range(12n, 12n)],
        [range(13n, 12n)],
        [range(12n, 14n), range(14n, 15n)],
        [range(12n, 14n), range(13n, 15n)],
        [range(20n, 21n), range(12n, 13n)],
        [range(12n, 2n ** 63n)],
        rangesOf(MAX_ACKNOWLEDGED + 1),
      ];
      for (const acknowledged of wrong) {
        const text = acknowledged.map(({ from, to }) => `${from} to ${to}`).join(", ");
        const call = store.commit([{ key, token, nextOffset: 10n, acknowledged }]);
        await assert.rejects(call, RangeError, `commit at 10 took the ranges ${text}`);
      }
      const odd: readonly unknown[] = ["12", [{ from: 12, to: 13 }], [null], [{ from: 12n }], { from: 12n, to: 13n }];
      for (const acknowledged of odd) {
        const entry = { key, token, nextOffset: 10n, acknowledged: acknowledged as readonly OffsetRange[] };
        await assert.rejects(store.commit([entry]), TypeError);
      }
      assert.deepEqual(await found(store, key), before, "a refused call has written");
    },
  },
  {
    id: "position/needs-one",
    clause: "3.2g",
    title: "metadata, mark, acknowledged, resetFrom and rewind without a position are a TypeError, odd ones too",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      const without: readonly Partial<CommitEntry>[] = [
        { metadata: "m" },
        { mark: "m" },
        { acknowledged: [] },
        { resetFrom: { reason: "start" } },
        { rewind: true },
      ];
      for (const more of without) {
        await assert.rejects(store.commit([{ key, token, ...more }]), TypeError, `commit took ${Object.keys(more)[0]}`);
      }
      const odd: readonly object[] = [
        { mark: "" },
        { mark: "x".repeat(256) },
        { mark: "\ud800" },
        { mark: 7 },
        { metadata: 7 },
        { metadata: "\ud800" },
        { resetFrom: {} },
        { resetFrom: { reason: "" } },
        { resetFrom: "start" },
        { resetFrom: { nextOffset: 1, reason: "start" } },
        { rewind: 1 },
        { release: "yes" },
        { recreate: 1 },
        { member: "" },
      ];
      for (const more of odd) {
        const entry = { key, token, nextOffset: 1n, ...more };
        await assert.rejects(store.commit([entry]), TypeError, `commit took ${JSON.stringify(more)}`);
      }
      assert.equal((await found(store, key)).nextOffset, undefined, "a refused call has written");
    },
  },
  {
    id: "position/unknown-field",
    clause: "3.1e",
    title: "a field that an entry does not have is a TypeError of every verb: a misspelt one must not be passed over",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const calls: Record<string, (more: object) => Promise<unknown>> = {
        claim: (more) => store.claim([{ key, token, owner: "o", ...more }]),
        commit: (more) => store.commit([{ key, token, nextOffset: 1n, recreate: true, owner: "o", ...more }]),
        reset: (more) => store.reset([{ key, nextOffset: 1n, ...more }]),
        expire: (more) => store.expire([{ key, ttl: null, ...more }]),
      };
      for (const [verb, call] of Object.entries(calls)) {
        for (const field of ["tll", "rewindFrom", "nextToken", "Epoch"]) {
          await assert.rejects(call({ [field]: 1 }), TypeError, `${verb} passes over the field ${field}`);
        }
      }
      assert.equal(await fetched(store, key), undefined, "a refused call has written");
    },
  },
];

/** Ranges beyond 10 whose text has exactly so many characters. */
function rangesOf(characters: number): OffsetRange[] {
  const ranges: OffsetRange[] = [];
  // Two digits of four take 16 characters, `["1000","1001"]` with its comma, and the brackets around all one more.
  let left = characters - 1;
  for (let from = 1_000n; left >= 16 + 18; from += 2n, left -= 16) ranges.push({ from, to: from + 1n });
  const digits = Math.floor((left - 8) / 2);
  const from = 10n ** BigInt(digits - 1) + 1n;
  ranges.push({ from, to: left % 2 === 0 ? from + 1n : 10n ** BigInt(digits) });
  return ranges;
}
