import { assert } from "../../assert.ts";
import type { OffsetRange } from "../../../offset-record.ts";
import { untilClockTicks } from "../clock.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import {
  type AnyStore,
  claim,
  claimed,
  commit,
  committed,
  expire,
  found,
  keyOf,
  listed,
  newToken,
  reset,
  rewound,
} from "../outcomes.ts";

const MAX_OFFSET = 2n ** 63n - 1n;

/** What is stored with a position, and goes or stays with it. */
export const positionCases: readonly ConformanceCase[] = [
  {
    id: "position/metadata-is-kept",
    clause: "3.2g",
    title: "a commit without metadata keeps what is there, one with an empty text clears it; a reset keeps nothing",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 1n, { metadata: "kept" });
      await committed(store, key, token, 2n);
      assert.equal((await found(store, key)).metadata, "kept", "a commit without metadata cleared it");
      await rewound(store, key, token, 0n);
      assert.equal((await found(store, key)).metadata, "kept", "a rewind without metadata cleared it");
      await committed(store, key, token, 2n, { release: true });
      assert.equal((await found(store, key)).metadata, "kept", "a release without metadata cleared it");
      await claim(store, key, token);
      await committed(store, key, token, 3n, { metadata: "" });
      assert.equal((await found(store, key)).metadata, "", "an empty text was taken for none");
      await committed(store, key, token, 4n, { metadata: "gone" });
      await reset(store, key, 0n);
      assert.equal((await found(store, key)).metadata, "", "a reset without metadata kept it");
    },
  },
  {
    id: "position/mark",
    clause: "3.2g",
    title: "a mark is that of the last position: replaced or left out by each, kept by all else, cleared by a reset",
    run: async ({ store, longTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      const markNow = async (): Promise<string | undefined> => {
        const { mark } = await found(store, key);
        assert.deepEqual((await listed(store))[0]?.mark, mark, "list shows another mark than fetch");
        return mark;
      };
      await claim(store, key, token);
      assert.equal(await markNow(), undefined);
      for (const mark of ["topic-1/7", "x".repeat(255), "ö\n\0\"'🌊", " "]) {
        await committed(store, key, token, 1n, { mark });
        assert.equal(await markNow(), mark);
      }
      await committed(store, key, token);
      await claim(store, key, token);
      await expire(store, key, longTtl);
      assert.equal(await markNow(), " ", "a write without a position changed the mark");
      await committed(store, key, token, 2n);
      assert.equal(await markNow(), undefined, "a position without a mark kept that of another");
      await rewound(store, key, token, 0n, { mark: "back" });
      assert.equal(await markNow(), "back");
      assert.equal((await claim(store, key, newToken()))?.mark, "back", "a claim does not answer with the mark");
      await reset(store, key, 1n);
      assert.equal(await markNow(), undefined, "a reset kept the mark");
    },
  },
  {
    id: "position/acknowledged",
    clause: "3.2g",
    title: "acknowledged ranges are those of the last position: stored exactly, replaced, left out, cleared by a reset",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const rangesNow = async (): Promise<readonly OffsetRange[] | undefined> => {
        const { acknowledged } = await found(store, key);
        assert.deepEqual((await listed(store))[0]?.acknowledged, acknowledged, "list shows other ranges than fetch");
        return acknowledged;
      };
      const some = [
        { from: 5n, to: 7n },
        { from: 2n ** 53n, to: 2n ** 53n + 1n },
        { from: MAX_OFFSET - 1n, to: MAX_OFFSET },
      ];
      await claim(store, key, token);
      await committed(store, key, token, 1n, { acknowledged: some });
      assert.deepEqual(await rangesNow(), some);
      await committed(store, key, token);
      assert.deepEqual(await rangesNow(), some, "a renewal changed the ranges");
      assert.deepEqual((await claim(store, key, token))?.acknowledged, some, "a claim does not answer with the ranges");
      const one = [{ from: 9n, to: 10n }];
      await committed(store, key, token, 2n, { acknowledged: one });
      assert.deepEqual(await rangesNow(), one, "ranges of a former position are left");
      await committed(store, key, token, 2n, { acknowledged: [] });
      assert.equal(await rangesNow(), undefined, "no ranges are none");
      await committed(store, key, token, 3n, { acknowledged: one });
      await committed(store, key, token, 4n);
      assert.equal(await rangesNow(), undefined, "a position without ranges kept those of another");
      await rewound(store, key, token, 0n, { acknowledged: one });
      assert.deepEqual(await rangesNow(), one);
      await committed(store, key, token, 1n, { acknowledged: one, release: true });
      assert.deepEqual(await rangesNow(), one);
      await reset(store, key, 1n);
      assert.equal(await rangesNow(), undefined, "a reset kept the ranges");
    },
  },
  {
    id: "position/reset-from",
    clause: "3.2g",
    title: "resetFrom says where a position was before its last reset, why and when, until the next one",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token);
      assert.equal((await found(store, key)).resetFrom, undefined);
      await committed(store, key, token, 1n, { resetFrom: { reason: "start" } });
      assert.deepEqual(withoutTime(await found(store, key)), { reason: "start" });
      await committed(store, key, token, 100n);
      await untilClockTicks(store);
      const nextOffset = 2n ** 53n + 1n;
      const back = { nextOffset, reason: 'below-log: "ö"' };
      await rewound(store, key, token, 50n, { epoch, resetFrom: back });
      const record = await found(store, key);
      assert.deepEqual(withoutTime(record), back);
      assert.deepEqual(record.resetFrom?.at, record.committedAt, "the time of the reset is not that of its commit");
      await untilClockTicks(store);
      await committed(store, key, token, 51n);
      await committed(store, key, token);
      await claim(store, key, token);
      assert.deepEqual((await found(store, key)).resetFrom, record.resetFrom, "a later write changed it");
      assert.deepEqual((await listed(store))[0]?.resetFrom, record.resetFrom);
      assert.deepEqual((await claim(store, key, newToken()))?.resetFrom, record.resetFrom);
      await reset(store, key, 7n);
      const moved = await found(store, key);
      assert.deepEqual(withoutTime(moved), { nextOffset: 51n, reason: "operator" });
      assert.deepEqual(moved.resetFrom?.at, moved.committedAt, "the time of the reset is not that of its write");
      await reset(store, key, 7n);
      assert.deepEqual((await found(store, key)).resetFrom, moved.resetFrom, "a reset that is repeated hid the first");
    },
  },
  {
    id: "position/reset-from-nothing",
    clause: "3.2g",
    title: "resetFrom has no offset after a reset of a claim without a position, and is absent where nothing was",
    run: async ({ store }) => {
      const [held, missing] = [keyOf(), keyOf({ partition: 1 })];
      await claim(store, held, newToken());
      await store.reset([held, missing].map((key) => ({ key, nextOffset: 1n })));
      assert.deepEqual(withoutTime(await found(store, held)), { reason: "operator" });
      assert.equal((await found(store, missing)).resetFrom, undefined);
    },
  },
  {
    id: "position/member",
    clause: "3.1b",
    title: "a claim's member is shown while it holds, and is the newest claim's, or none",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token, { member: "m-1 ö" });
      await committed(store, key, token, 1n);
      assert.equal((await found(store, key)).member, "m-1 ö");
      assert.equal((await listed(store))[0]?.member, "m-1 ö");
      assert.equal((await claim(store, key, newToken(), { member: "m2" }))?.member, "m-1 ö");
      assert.equal((await found(store, key)).member, "m2");
      await claim(store, key, token);
      assert.equal((await found(store, key)).member, undefined, "a claim without a member kept that of another");
      await claim(store, key, token, { member: "m3" });
      await reset(store, key, 1n);
      assert.equal((await found(store, key)).member, undefined, "a reset kept the member");
      const anew = keyOf({ partition: 1 });
      await committed(store, anew, token, 1n, { recreate: true, owner: "o", member: "m4" });
      assert.equal((await found(store, anew)).member, "m4");
    },
  },
  {
    id: "position/last-write",
    clause: "3.5d",
    title: "updatedAt is the time of the last write of any kind, and neither a refusal nor a read is one",
    run: async ({ store, longTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      const writes: readonly (readonly [string, () => Promise<unknown>])[] = [
        ["a claim", () => claim(store, key, token)],
        ["a repeated claim", () => claim(store, key, token)],
        ["a commit", () => committed(store, key, token, 5n)],
        ["the same position", () => committed(store, key, token, 5n)],
        ["a renewal", () => committed(store, key, token)],
        ["a rewind", () => rewound(store, key, token, 3n)],
        ["a new ttl", () => expire(store, key, longTtl)],
        ["a release", () => committed(store, key, token, undefined, { release: true })],
        ["a reset", () => reset(store, key, 1n)],
      ];
      let last = 0;
      for (const [what, write] of writes) {
        await untilClockTicks(store);
        if (last > 0) {
          assert.equal((await commit(store, key, newToken(), 9n)).status, "fenced");
          await refusedBehind(store, token);
          assert.equal((await found(store, key)).updatedAt.getTime(), last, `a refusal before ${what} has written`);
        }
        await write();
        const { updatedAt } = await found(store, key);
        assert.ok(updatedAt instanceof Date, `after ${what} updatedAt is ${String(updatedAt)}`);
        assert.ok(updatedAt.getTime() > last, `${what} did not change updatedAt`);
        last = updatedAt.getTime();
      }
    },
  },
];

/** Is behind, or fenced: in no case written. */
async function refusedBehind(store: AnyStore, token: string): Promise<void> {
  const { nextOffset = 0n } = await found(store, keyOf());
  if (nextOffset > 0n) assert.notEqual((await commit(store, keyOf(), token, 0n)).status, "committed");
}

function withoutTime({ resetFrom }: Awaited<ReturnType<typeof found>>): object | undefined {
  if (resetFrom === undefined) return undefined;
  const { at, ...rest } = resetFrom;
  assert.ok(at instanceof Date, `the time of a reset is ${String(at)}`);
  return rest;
}
