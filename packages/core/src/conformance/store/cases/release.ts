import { assert } from "../../assert.ts";
import type { OffsetKey } from "../../../key.ts";
import { untilClockTicks } from "../clock.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import {
  claim,
  claimed,
  commit,
  committed,
  expire,
  found,
  keyOf,
  lasting,
  listed,
  newToken,
  position,
  reset,
  rewound,
} from "../outcomes.ts";

const RELEASED = { status: "fenced", reason: "released" };

/** The holder of a key gives up its claim. */
export const releaseCases: readonly ConformanceCase[] = [
  {
    id: "release/alone",
    clause: "3.2f",
    title: "a release without a position ends the claim, and changes nothing else",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token, { owner: "holder", member: "m1" });
      await committed(store, key, token, 10n, { metadata: "ten", mark: "log" });
      const { owner, member, claimedAt, ...kept } = lasting(await found(store, key));
      assert.ok(owner === "holder" && member === "m1" && claimedAt !== undefined);
      await committed(store, key, token, undefined, { epoch, release: true });
      assert.deepEqual(lasting(await found(store, key)), kept, "the claim is still held, or more is changed");
      assert.deepEqual((await listed(store)).map(lasting), [kept]);
    },
  },
  {
    id: "release/with-a-position",
    clause: "3.2f",
    title: "a release with a position writes it in the same step; one that is refused ends no claim",
    run: async ({ store }) => {
      const [key, token, stranger] = [keyOf(), newToken(), newToken()];
      await claim(store, key, token, { owner: "holder" });
      await committed(store, key, token, 10n);
      const behind = await commit(store, key, token, 9n, { release: true });
      assert.equal(behind.status, "behind");
      const foreign = await commit(store, key, stranger, 11n, { release: true });
      assert.deepEqual(foreign, { status: "fenced", reason: "superseded", owner: "holder" });
      assert.equal((await found(store, key)).owner, "holder", "a refused release ended the claim");
      await committed(store, key, token, 11n, { release: true, metadata: "last" });
      const record = await found(store, key);
      assert.deepEqual(position(record), { nextOffset: 11n, metadata: "last" });
      assert.deepEqual([record.owner, record.claimedAt], [undefined, undefined], "the claim is still held");
    },
  },
  {
    id: "release/late-commits",
    clause: "3.2f",
    title: "after a release every commit is fenced: released, and writes nothing",
    run: async ({ store, longTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token);
      await committed(store, key, token, 10n, { release: true });
      const before = await found(store, key);
      const late = [{}, { epoch }, { epoch: epoch - 1 }, { recreate: true, owner: "late" }, { rewind: true, epoch }];
      for (const more of late) {
        for (const nextOffset of [11n, 10n, 9n]) {
          assert.deepEqual(await commit(store, key, token, nextOffset, more), RELEASED, "a late commit landed");
          assert.deepEqual(await commit(store, key, newToken(), nextOffset, more), RELEASED);
        }
      }
      assert.deepEqual(await commit(store, key, token, undefined, { ttl: longTtl }), RELEASED, "a late renewal landed");
      assert.deepEqual(await commit(store, key, token, 11n, { release: true }), RELEASED, "a late release landed");
      assert.deepEqual(await found(store, key), before);
    },
  },
  {
    id: "release/repeated",
    clause: "3.4b",
    title:
      "a release repeated after its answer was lost is committed, and nothing else: alone, with its position, or a rewind",
    run: async ({ store }) => {
      const keys = [0, 1, 2, 3].map((partition) => keyOf({ partition }));
      const [alone, moved, back, tokenOnly] = keys as [OffsetKey, OffsetKey, OffsetKey, OffsetKey];
      const token = newToken();
      const epochs: number[] = [];
      for (const key of keys) epochs.push((await claimed(store, key, token)).epoch);
      for (const key of keys) await committed(store, key, token, 5n);
      const rewinds = [
        { key: back, more: { epoch: epochs[2], release: true } },
        { key: tokenOnly, more: { release: true } },
      ];
      await committed(store, alone, token, undefined, { epoch: epochs[0], release: true });
      await committed(store, moved, token, 7n, { release: true });
      const begun: number[] = [];
      for (const { key, more } of rewinds) begun.push(await rewound(store, key, token, 3n, more));
      const records = () => Promise.all(keys.map(async (key) => lasting(await found(store, key))));
      const before = await records();
      for (let attempt = 0; attempt < 2; attempt += 1) {
        await committed(store, alone, token, undefined, { epoch: epochs[0], release: true });
        await committed(store, moved, token, 7n, { release: true });
        for (const [index, { key, more }] of rewinds.entries()) {
          const again = await rewound(store, key, token, 3n, more);
          assert.equal(again, begun[index], "a repeated rewind began another epoch");
        }
      }
      assert.deepEqual(await records(), before, "a repeated release changed more than the time");
      // The same rewind without the release, or with one that was not there, is another commit.
      const without = await commit(store, back, token, 3n, { epoch: epochs[2], rewind: true });
      assert.deepEqual(without, RELEASED, "a rewind after a release landed");
      const held = keyOf({ partition: 4 });
      const { epoch } = await claimed(store, held, token, { owner: "holder" });
      await rewound(store, held, token, 3n, { epoch });
      const late = await commit(store, held, token, 3n, { epoch, rewind: true, release: true });
      const refusal = { status: "fenced", reason: "superseded", owner: "holder" };
      assert.deepEqual(late, refusal, "a late release was taken for the rewind before it");
      assert.equal((await found(store, held)).owner, "holder");
    },
  },
  {
    id: "release/claim-afterwards",
    clause: "3.2f",
    title: "a claim after a release holds the key, under a new epoch; the same token is a new claim then",
    run: async ({ store }) => {
      const [key, token, other] = [keyOf(), newToken(), newToken()];
      const { epoch: first } = await claimed(store, key, token);
      await committed(store, key, token, 10n, { release: true });
      const taken = await claimed(store, key, other, { owner: "other" });
      assert.deepEqual(position(taken.record), { nextOffset: 10n, metadata: "" });
      assert.equal(taken.record?.owner, undefined, "the record that the claim found shows a holder");
      assert.ok(
        taken.epoch > first,
        `a claim after a release has the epoch ${taken.epoch}, and the one before ${first}`,
      );
      const late = await commit(store, key, token, 11n);
      assert.deepEqual(late, { status: "fenced", reason: "superseded", owner: "other" });
      await committed(store, key, other, 11n, { release: true });
      await untilClockTicks(store);
      const again = await claimed(store, key, other, { owner: "again" });
      assert.ok(again.epoch > taken.epoch, "the same token after its release is the claim that it released");
      const record = await found(store, key);
      assert.equal(record.owner, "again");
      assert.ok((record.claimedAt ?? 0) > (taken.record?.updatedAt ?? 0), "claimedAt is not the time of the new claim");
      assert.equal((await commit(store, key, other, 12n, { epoch: taken.epoch })).status, "fenced");
      await committed(store, key, other, 12n, { epoch: again.epoch });
    },
  },
  {
    id: "release/reset-and-expire",
    clause: "3.2f",
    title: "a reset after a release fences as any reset does, and a new ttl brings no claim back",
    run: async ({ store, longTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n, { release: true });
      await expire(store, key, longTtl);
      assert.deepEqual(await commit(store, key, token, 11n), RELEASED);
      assert.equal((await found(store, key)).owner, undefined);
      await reset(store, key, 3n);
      assert.deepEqual(await commit(store, key, token, 11n), { status: "fenced", reason: "reset" });
      assert.deepEqual(await commit(store, key, token, undefined, { release: true }), {
        status: "fenced",
        reason: "reset",
      });
    },
  },
  {
    id: "release/recreated",
    clause: "3.2f",
    title: "a release with recreate leaves the position without a holder",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await committed(store, key, token, 5n, { recreate: true, owner: "again", release: true });
      const record = await found(store, key);
      assert.deepEqual([record.nextOffset, record.owner, record.claimedAt], [5n, undefined, undefined]);
      assert.deepEqual(await commit(store, key, token, 6n), RELEASED);
    },
  },
];
