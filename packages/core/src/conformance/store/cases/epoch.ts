import { assert } from "../../assert.ts";
import type { OffsetKey } from "../../../key.ts";
import { untilClockTicks } from "../clock.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { leaveExpired } from "../expiry-times.ts";
import {
  type AnyStore,
  claim,
  claimed,
  commit,
  committed,
  expire,
  fetched,
  found,
  keyOf,
  lasting,
  listed,
  newToken,
  only,
  reset,
  rewound,
} from "../outcomes.ts";

/** A number that only grows: each time that a key is held has its own. */
export const epochCases: readonly ConformanceCase[] = [
  {
    id: "epoch/grows",
    clause: "3.2e",
    title: "each claim, rewind and reset begins a larger epoch, and records show it",
    run: async ({ store }) => {
      const [key, first, second] = [keyOf(), newToken(), newToken()];
      const begun = growing(store, key);
      await begun("a first claim", (await claimed(store, key, first)).epoch);
      await begun("a claim of another", (await claimed(store, key, second)).epoch);
      await begun("a claim that takes the key back", (await claimed(store, key, first)).epoch);
      await committed(store, key, first, 10n);
      await begun("a rewind", await rewound(store, key, first, 3n));
      await reset(store, key, 7n);
      const { epoch } = await found(store, key);
      await begun("a reset", epoch);
      const after = await claimed(store, key, first);
      assert.equal(after.record?.epoch, epoch, "a claim does not answer with the epoch that it found");
      await begun("a claim after a reset", after.epoch);
    },
  },
  {
    id: "epoch/outlives-the-record",
    clause: "3.2e",
    title: "a claim or reset of a key whose record was deleted or has expired begins a larger epoch than it had",
    run: async (context) => {
      const { store } = context;
      const [key, token] = [keyOf(), newToken()];
      const begun = growing(store, key);
      await begun("a first claim", (await claimed(store, key, token)).epoch);
      // Epochs go by the store's clock where nothing else is left to go by.
      const gone = async (): Promise<void> => {
        await untilClockTicks(store);
        await store.delete({ keys: [key] });
      };
      await gone();
      await begun("a claim after a delete", (await claimed(store, key, token)).epoch);
      await gone();
      await reset(store, key, 7n);
      await begun("a reset after a delete", (await found(store, key)).epoch);
      await untilClockTicks(store);
      await leaveExpired(context, key);
      await begun("a claim after an expiry", (await claimed(store, key, token)).epoch);
    },
  },
  {
    id: "epoch/stays",
    clause: "3.2e",
    title: "a repeated claim keeps its epoch, and so do commits, renewals, a new ttl and refusals",
    run: async ({ store, longTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token);
      const expectSame = async (after: string): Promise<void> =>
        assert.equal((await found(store, key)).epoch, epoch, `the epoch is another one after ${after}`);
      assert.equal((await claimed(store, key, token)).epoch, epoch, "a repeated claim began another epoch");
      await expectSame("a repeated claim");
      await committed(store, key, token, 10n, { epoch });
      await expectSame("a commit");
      await committed(store, key, token, undefined, { epoch, ttl: longTtl });
      await expectSame("a renewal");
      await expire(store, key, null);
      await expectSame("a new ttl");
      assert.equal((await commit(store, key, token, 9n)).status, "behind");
      assert.equal((await commit(store, key, newToken(), 11n)).status, "fenced");
      await expectSame("two refusals");
      const again = await claimed(store, key, token);
      assert.deepEqual([again.epoch, again.record?.epoch], [epoch, epoch], "a repeated claim began another epoch");
    },
  },
  {
    id: "epoch/wrong-is-fenced",
    clause: "3.2e",
    title: "a commit whose token is right and whose epoch is not is fenced, names the owner, and writes nothing",
    run: async ({ store, longTtl }) => {
      const [key, token, other] = [keyOf(), newToken(), newToken()];
      const { epoch: former } = await claimed(store, key, token);
      await claim(store, key, other);
      const { epoch } = await claimed(store, key, token, { owner: "again" });
      await committed(store, key, token, 10n, { epoch });
      const before = await found(store, key);
      const refusal = { status: "fenced", reason: "superseded", owner: "again" };
      for (const wrong of [former, epoch - 1, epoch + 1, 0, Number.MAX_SAFE_INTEGER]) {
        for (const nextOffset of [11n, 10n, 9n, undefined]) {
          const outcome = await commit(store, key, token, nextOffset, { epoch: wrong, ttl: longTtl });
          assert.deepEqual(outcome, refusal, `a commit of the epoch ${wrong} holds, and the stored one is ${epoch}`);
        }
      }
      assert.deepEqual(await found(store, key), before);
      await committed(store, key, token, 11n, { epoch });
      await committed(store, key, token, 12n);
    },
  },
  {
    id: "epoch/token-comes-first",
    clause: "3.2e",
    title: "the right epoch helps no other token: superseded, or reset after an operator's write",
    run: async ({ store }) => {
      const [key, token, other] = [keyOf(), newToken(), newToken()];
      const { epoch } = await claimed(store, key, token, { owner: "holder" });
      await committed(store, key, token, 10n);
      const before = await found(store, key);
      const refusal = { status: "fenced", reason: "superseded", owner: "holder" };
      assert.deepEqual(await commit(store, key, other, 11n, { epoch }), refusal);
      assert.deepEqual(lasting(await found(store, key)), lasting(before));
      await reset(store, key, 3n);
      const withdrawn = await found(store, key);
      assert.deepEqual(await commit(store, key, token, 11n, { epoch: withdrawn.epoch }), {
        status: "fenced",
        reason: "reset",
      });
      assert.deepEqual(await found(store, key), withdrawn);
    },
  },
  {
    id: "epoch/recreated",
    clause: "3.2e",
    title: "a commit that recreates keeps the epoch that it gives; where it gives none, or goes back, one begins",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token);
      // One that it makes by the clock is another then.
      await untilClockTicks(store);
      await store.delete({ keys: [key] });
      await committed(store, key, token, 5n, { epoch, recreate: true, owner: "again" });
      assert.equal((await found(store, key)).epoch, epoch, "a recreated record has another epoch");
      await committed(store, key, token, 6n, { epoch });
      assert.equal((await commit(store, key, token, 7n, { epoch: epoch - 1 })).status, "fenced");
      await store.delete({ keys: [key] });
      const back = await rewound(store, key, token, 3n, { epoch, recreate: true, owner: "again" });
      assert.ok(back > epoch, `a rewind that recreates has the epoch ${back}, and the one before it is ${epoch}`);
      const again = await rewound(store, key, token, 3n, { epoch, recreate: true, owner: "again" });
      assert.equal(again, back, "a repeated rewind began another epoch");
      assert.equal(
        (await commit(store, key, token, 7n, { epoch, recreate: true })).status,
        "fenced",
        "a late write landed",
      );
      const without = keyOf({ partition: 1 });
      await committed(store, without, token, 5n, { recreate: true, owner: "again" });
      const made = (await found(store, without)).epoch;
      assert.ok(Number.isSafeInteger(made) && made > 0, `a recreated record has the epoch ${made}`);
      await committed(store, without, token, 6n, { epoch: made });
      const { epoch: next } = await claimed(store, key, newToken());
      assert.ok(next > back, `a claim of a recreated record began the epoch ${next} after ${back}`);
    },
  },
  {
    id: "epoch/only-a-number",
    clause: "3.2e",
    title: "an epoch that is no whole number from 0 up is a RangeError or TypeError, before anything is written",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const commitOf = (epoch: unknown): Promise<unknown> =>
        store.commit([{ key, token, nextOffset: 1n, recreate: true, epoch: epoch as number }]);
      for (const epoch of [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53]) {
        await assert.rejects(commitOf(epoch), RangeError, `commit took the epoch ${epoch}`);
      }
      for (const epoch of ["1", 1n, null]) await assert.rejects(commitOf(epoch), TypeError);
      assert.equal(await fetched(store, key), undefined, "a refused call has written");
    },
  },
  {
    id: "epoch/of-racing-claims",
    clause: "3.2e",
    title:
      "of clients that claim a key concurrently each has an epoch of its own, and the largest is the one that holds",
    run: async (context) => {
      const stores = [context.store];
      for (let count = 0; count < 5; count += 1) stores.push((await context.openAnother()).store);
      for (let round = 0; round < 5; round += 1) {
        const key = keyOf({ partition: round });
        // Half of them where the key is there already.
        if (round % 2 === 1) await claim(context.store, key, newToken());
        const tokens = stores.map(newToken);
        const claims = await Promise.all(stores.map((store, index) => claimed(store, key, tokens[index] ?? "")));
        const epochs = claims.map(({ epoch }) => epoch);
        assert.equal(
          new Set(epochs).size,
          epochs.length,
          `claims of one key have the same epoch: ${epochs.join(", ")}`,
        );
        const largest = Math.max(...epochs);
        assert.equal((await found(context.store, key)).epoch, largest, "the largest epoch is not the stored one");
        const commits = await context.store.commit([
          { key, token: tokens[epochs.indexOf(largest)] ?? "", epoch: largest, nextOffset: 1n },
        ]);
        assert.deepEqual(only(commits), { status: "committed" });
      }
    },
  },
];

/** Expects each epoch of a key to be larger than the one before it, and to be shown. */
function growing(store: AnyStore, key: OffsetKey): (what: string, epoch: number) => Promise<void> {
  let last = -1;
  return async (what, epoch) => {
    assert.ok(epoch > last, `${what} began the epoch ${epoch}, and the one before it is ${last}`);
    assert.equal((await found(store, key)).epoch, epoch, `after ${what} fetch shows another epoch`);
    const shown = (await listed(store, key)).map((record) => record.epoch);
    assert.deepEqual(shown, [epoch], `after ${what} list shows another epoch`);
    last = epoch;
  };
}
