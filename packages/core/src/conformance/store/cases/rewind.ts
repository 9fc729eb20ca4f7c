import { assert } from "../../assert.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { claim, claimed, commit, committed, found, keyOf, lasting, newToken, position, rewound } from "../outcomes.ts";

/** The one way in which a running session goes back. */
export const rewindCases: readonly ConformanceCase[] = [
  {
    id: "rewind/goes-back",
    clause: "3.2b",
    title: "a commit with rewind goes back, returns the epoch that begins with it, and stays the same claim",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token, { owner: "holder" });
      await committed(store, key, token, 100n, { epoch });
      const { claimedAt } = await found(store, key);
      const next = await rewound(store, key, token, 3n, { epoch, metadata: "recreated" });
      assert.ok(next > epoch, `the epoch of a rewind is ${next}, and was ${epoch} before`);
      const record = await found(store, key);
      assert.deepEqual(position(record), { nextOffset: 3n, metadata: "recreated" });
      assert.equal(record.epoch, next, "the record has another epoch than the rewind returned");
      assert.deepEqual([record.owner, record.claimedAt], ["holder", claimedAt], "it is the same claim");
      await committed(store, key, token, 4n, { epoch: next });
    },
  },
  {
    id: "rewind/must-be-said",
    clause: "3.2b",
    title: "without rewind a commit that would go back is behind and writes nothing",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token);
      await committed(store, key, token, 100n);
      const before = await found(store, key);
      for (const more of [{}, { epoch }, { rewind: false }, { rewind: undefined, epoch }]) {
        const outcome = await commit(store, key, token, 3n, more);
        assert.equal(outcome.status, "behind", `went back with ${JSON.stringify(more)}`);
        assert.deepEqual("record" in outcome && outcome.record, before);
      }
      assert.deepEqual(await found(store, key), before);
    },
  },
  {
    id: "rewind/wrong-token",
    clause: "3.2b",
    title: "a rewind under a token that does not hold is refused, under any epoch",
    run: async ({ store }) => {
      const [key, token, other] = [keyOf(), newToken(), newToken()];
      const { epoch } = await claimed(store, key, token, { owner: "holder" });
      await committed(store, key, token, 100n);
      const refusal = { status: "fenced", reason: "superseded", owner: "holder" };
      for (const more of [{}, { epoch }, { epoch: epoch + 1 }]) {
        assert.deepEqual(await commit(store, key, other, 3n, { rewind: true, ...more }), refusal);
        assert.deepEqual(await commit(store, key, other, 100n, { rewind: true, ...more }), refusal);
      }
      const record = await found(store, key);
      assert.deepEqual([record.nextOffset, record.epoch], [100n, epoch]);
    },
  },
  {
    id: "rewind/forward-too",
    clause: "3.2b",
    title: "a rewind to where the position is, or beyond it, is committed too, under a new epoch each time",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      let { epoch } = await claimed(store, key, token);
      for (const nextOffset of [1n, 2n, 2n]) {
        const next = await rewound(store, key, token, nextOffset, { epoch });
        assert.ok(next > epoch, `the epoch of a rewind is ${next}, and was ${epoch} before`);
        epoch = next;
      }
      assert.equal((await found(store, key)).nextOffset, 2n);
      await committed(store, key, token, 3n, { epoch });
    },
  },
  {
    id: "rewind/late-writes",
    clause: "3.2e",
    title: "after a rewind nothing lands under the former epoch: it is fenced, and names the owner",
    run: async ({ store, longTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token, { owner: "holder" });
      await committed(store, key, token, 100n, { epoch });
      const next = await rewound(store, key, token, 3n, { epoch });
      const before = await found(store, key);
      const refusal = { status: "fenced", reason: "superseded", owner: "holder" };
      const late = [
        { nextOffset: 101n },
        { nextOffset: 3n },
        { nextOffset: 2n },
        { nextOffset: 101n, recreate: true, owner: "late" },
        { nextOffset: 101n, rewind: true },
        { nextOffset: 2n, rewind: true },
        { ttl: longTtl },
        { release: true },
        { nextOffset: 101n, release: true },
      ];
      for (const { nextOffset, ...more } of late) {
        const outcome = await commit(store, key, token, nextOffset, { ...more, epoch });
        const what = JSON.stringify({ nextOffset: String(nextOffset), ...more });
        assert.deepEqual(outcome, refusal, `a late write landed: ${what}`);
      }
      assert.deepEqual(await found(store, key), before);
      await committed(store, key, token, 4n, { epoch: next });
    },
  },
  {
    id: "rewind/refused",
    clause: "3.2e",
    title: "a refused rewind begins no epoch",
    run: async ({ store }) => {
      const [key, token, other] = [keyOf(), newToken(), newToken()];
      const { epoch } = await claimed(store, key, token);
      await committed(store, key, token, 100n, { epoch });
      assert.equal((await commit(store, key, other, 3n, { rewind: true, epoch })).status, "fenced");
      assert.equal((await commit(store, key, token, 3n, { rewind: true, epoch: epoch - 1 })).status, "fenced");
      assert.equal((await found(store, key)).epoch, epoch, "a refused rewind began an epoch");
      await committed(store, key, token, 101n, { epoch });
    },
  },
  {
    id: "rewind/repeated",
    clause: "3.4b",
    title: "commits repeated after an answer was lost come to the same: forward, renewal and rewind",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token);
      for (let attempt = 0; attempt < 3; attempt += 1) {
        await committed(store, key, token, 100n, { metadata: "m", epoch });
      }
      assert.deepEqual(position(await found(store, key)), { nextOffset: 100n, metadata: "m" });
      const next = await rewound(store, key, token, 3n, { epoch });
      const once = lasting(await found(store, key));
      for (let attempt = 0; attempt < 2; attempt += 1) {
        assert.equal(await rewound(store, key, token, 3n, { epoch }), next, "a repeated rewind began another epoch");
      }
      assert.deepEqual(lasting(await found(store, key)), once, "a repeated rewind changed more than the time");
      for (let attempt = 0; attempt < 3; attempt += 1) await committed(store, key, token, undefined, { epoch: next });
      // One that arrives after the session went on must not undo what it did since.
      await committed(store, key, token, 5n, { epoch: next });
      assert.equal((await commit(store, key, token, 3n, { rewind: true, epoch })).status, "fenced");
      assert.equal((await found(store, key)).nextOffset, 5n);
    },
  },
  {
    id: "rewind/without-epoch",
    clause: "3.2b",
    title: "where no epoch is given the token alone decides, and each rewind begins an epoch",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 100n);
      const first = await rewound(store, key, token, 50n);
      const second = await rewound(store, key, token, 50n);
      assert.ok(second > first, `the epoch of a rewind is ${second}, and was ${first} before`);
      await committed(store, key, token, 51n);
      assert.equal((await found(store, key)).epoch, second);
    },
  },
];
