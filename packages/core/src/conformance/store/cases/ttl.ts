import { assert } from "../../assert.ts";
import { inspect } from "node:util";

import type { CommitEntry } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { eventually } from "../eventually.ts";
import { claim, commit, committed, expire, fetched, found, keyOf, listed, newToken, reset } from "../outcomes.ts";

const HOUR_MS = 3_600_000;

/** What a TTL is, and the times that a record shows. */
export const ttlCases: readonly ConformanceCase[] = [
  {
    id: "ttl/omitted-keeps-null-removes",
    clause: "3.5a",
    title: "a ttl is set by any write, kept when omitted, changed by another, removed by null",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const ttlNow = async (): Promise<number | undefined> => {
        const { ttl, expiresAt } = await found(store, key);
        assert.equal(expiresAt !== undefined, ttl !== undefined, "expiresAt is there if and only if ttl is");
        return ttl;
      };
      await claim(store, key, token, { ttl: HOUR_MS });
      assert.equal(await ttlNow(), HOUR_MS);
      await committed(store, key, token, 1n);
      assert.equal(await ttlNow(), HOUR_MS, "a commit without ttl keeps it");
      await committed(store, key, token);
      assert.equal(await ttlNow(), HOUR_MS, "a renewal without ttl keeps it");
      await claim(store, key, token);
      assert.equal(await ttlNow(), HOUR_MS, "a claim without ttl keeps it");
      await reset(store, key, 0n);
      assert.equal(await ttlNow(), HOUR_MS, "a reset without ttl keeps it");
      await claim(store, key, token, { ttl: 2 * HOUR_MS });
      assert.equal(await ttlNow(), 2 * HOUR_MS);
      await committed(store, key, token, 2n, { ttl: 3 * HOUR_MS });
      assert.equal(await ttlNow(), 3 * HOUR_MS);
      await committed(store, key, token, undefined, { ttl: 4 * HOUR_MS });
      assert.equal(await ttlNow(), 4 * HOUR_MS);
      await reset(store, key, 0n, { ttl: 5 * HOUR_MS });
      assert.equal(await ttlNow(), 5 * HOUR_MS);
      await reset(store, key, 0n, { ttl: null });
      assert.equal(await ttlNow(), undefined);
      await claim(store, key, token, { ttl: HOUR_MS });
      await committed(store, key, token, 3n, { ttl: null });
      assert.equal(await ttlNow(), undefined);
      await claim(store, key, token, { ttl: HOUR_MS });
      await claim(store, key, token, { ttl: null });
      assert.equal(await ttlNow(), undefined);
    },
  },
  {
    id: "ttl/told-by-commit",
    clause: "3.5g",
    title:
      "the answer to a commit has the record's ttl after it, whichever client set it, and none if the record never expires",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      const told = async (what: string, ttl: number | undefined, entry: Partial<CommitEntry>): Promise<void> => {
        const { nextOffset, ...more } = entry;
        const outcome = await commit(store, key, token, nextOffset, more);
        if (outcome.status !== "committed") assert.fail(`${what} was not committed: ${inspect(outcome)}`);
        assert.equal(outcome.ttl, ttl, `${what} was answered with the ttl ${outcome.ttl}; the record has ${ttl}`);
        assert.equal((await found(store, key)).ttl, ttl, "the record itself has another ttl");
      };
      await claim(store, key, token);
      await told("a commit of a record that never expires", undefined, { nextOffset: 1n });
      await told("a commit with a ttl", HOUR_MS, { nextOffset: 2n, ttl: HOUR_MS });
      await told("a commit without a ttl", HOUR_MS, { nextOffset: 3n });
      await told("a renewal", HOUR_MS, {});
      await expire(store, key, 2 * HOUR_MS);
      await told("the first renewal after an expire", 2 * HOUR_MS, {});
      await told("a rewind", 2 * HOUR_MS, { nextOffset: 1n, rewind: true });
      await told("a commit that removes the ttl", undefined, { nextOffset: 4n, ttl: null });
      await store.delete({ keys: [key] });
      await told("a recreation", HOUR_MS, { nextOffset: 4n, ttl: HOUR_MS, recreate: true, owner: "owner-1" });
      await told("a release", HOUR_MS, { release: true });
    },
  },
  {
    id: "ttl/bad-is-a-range-error",
    clause: "3.5e",
    title: "a zero, negative, fractional or non-finite ttl is a RangeError of every verb, before anything is written",
    run: async ({ store }) => {
      const [good, bad, token] = [keyOf({ partition: 0 }), keyOf({ partition: 1 }), newToken()];
      for (const ttl of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0.5, 1e300]) {
        const entries = [{ key: good }, { key: bad, ttl }];
        const claims = entries.map((entry) => ({ ...entry, token, owner: "o" }));
        await assert.rejects(store.claim(claims), RangeError, `claim took the ttl ${ttl}`);
        const commits = claims.map((entry) => ({ ...entry, nextOffset: 1n, recreate: true }));
        await assert.rejects(store.commit(commits), RangeError, `commit took the ttl ${ttl}`);
        const resets = entries.map((entry) => ({ ...entry, nextOffset: 1n }));
        await assert.rejects(store.reset(resets), RangeError, `reset took the ttl ${ttl}`);
        await assert.rejects(store.expire([{ key: bad, ttl }]), RangeError, `expire took the ttl ${ttl}`);
      }
      const text = { key: bad, ttl: "1000" as unknown as number };
      await assert.rejects(store.claim([{ ...text, token, owner: "o" }]), TypeError);
      await assert.rejects(store.reset([{ ...text, nextOffset: 1n }]), TypeError);
      assert.deepEqual(await listed(store), [], "a refused call has written");
    },
  },
  {
    id: "ttl/very-long",
    clause: "3.5a",
    title: "a ttl of many years is kept to the millisecond, and the record stays",
    run: async ({ store, capabilities }) => {
      const ttl = 50 * 365 * 24 * HOUR_MS + 1;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token, { ttl });
      await committed(store, key, token, 1n);
      const record = await found(store, key);
      assert.equal(record.ttl, ttl);
      assertLifetime(record.committedAt, record.expiresAt, ttl, capabilities.expiry.granularityMs);
    },
  },
  {
    id: "ttl/times-of-a-record",
    clause: "3.5d",
    title: "claimedAt, committedAt and expiresAt follow one clock: in order, and expiresAt one ttl after the renewal",
    run: async ({ store, capabilities }) => {
      const { granularityMs } = capabilities.expiry;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token, { ttl: HOUR_MS });
      const claimed = await found(store, key);
      assert.ok(claimed.claimedAt instanceof Date && claimed.expiresAt instanceof Date);
      assertLifetime(claimed.claimedAt, claimed.expiresAt, HOUR_MS, granularityMs);
      assert.ok(
        Math.abs(claimed.claimedAt.getTime() - Date.now()) < 12 * HOUR_MS,
        `claimedAt is ${claimed.claimedAt.toISOString()}: not the time of now, in milliseconds since the epoch`,
      );
      await committed(store, key, token, 1n);
      const once = await found(store, key);
      assert.ok(once.committedAt instanceof Date && once.claimedAt instanceof Date);
      assertLifetime(once.committedAt, once.expiresAt, HOUR_MS, granularityMs);
      assert.deepEqual(once.claimedAt, claimed.claimedAt, "a commit is not a claim");
      assert.ok(once.committedAt >= once.claimedAt, "committed before it was claimed");
      await eventually("the clock of the store advances, and a commit shows it", async () => {
        await committed(store, key, token, 2n);
        const twice = await found(store, key);
        assert.ok(twice.committedAt !== undefined && once.committedAt !== undefined);
        assert.ok(twice.committedAt >= once.committedAt, "the store's clock went back");
        assert.deepEqual(twice.claimedAt, claimed.claimedAt, "a commit is not a claim");
        return twice.committedAt > once.committedAt;
      });
      await eventually("a renewal moves expiresAt and leaves committedAt", async () => {
        const before = await found(store, key);
        await committed(store, key, token);
        const after = await found(store, key);
        assert.deepEqual(after.committedAt, before.committedAt);
        return (after.expiresAt ?? 0) > (before.expiresAt ?? 0);
      });
    },
  },
  {
    id: "ttl/step-of-the-clock",
    clause: "3.5d",
    title: "the times of a record are as exact as the store says that its clock is",
    run: async ({ store, capabilities }) => {
      const { granularityMs } = capabilities.expiry;
      // A coarser one than the contract allows for is not to be had.
      if (granularityMs >= 1_000) return;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token, { ttl: HOUR_MS });
      const times: number[] = [];
      for (let nextOffset = 0n; times.length < 12; nextOffset += 1n) {
        await eventually("the clock of the store advances, and a commit shows it", async () => {
          await committed(store, key, token, nextOffset);
          const { committedAt, expiresAt } = await found(store, key);
          assert.ok(committedAt && expiresAt);
          if (committedAt.getTime() === times.at(-1)) return false;
          times.push(committedAt.getTime());
          return true;
        });
      }
      for (const stepMs of [1_000, 10 * granularityMs]) {
        const isCoarse = times.every((time) => time % stepMs === 0);
        assert.ok(
          !isCoarse,
          `12 times are multiples of ${stepMs} ms; the clock's step is said to be ${granularityMs} ms`,
        );
      }
    },
  },
  {
    id: "ttl/listed-as-fetched",
    clause: "3.5d",
    title: "list shows the same record as fetch, field by field",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token, { ttl: HOUR_MS });
      assert.deepEqual(await listed(store), [await found(store, key)]);
      await committed(store, key, token, 12n, { metadata: "m" });
      assert.deepEqual(await listed(store), [await found(store, key)]);
      await reset(store, key, 2n, { ttl: null });
      assert.deepEqual(await listed(store), [await found(store, key)]);
    },
  },
  {
    id: "ttl/expire-keeps-the-claim",
    clause: "3.5f",
    title: "expire changes the ttl of a record and neither its claim, owner, position, metadata nor times",
    run: async ({ store, capabilities }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token, { owner: "holder" });
      await committed(store, key, token, 10n, { metadata: "ten" });
      const before = await found(store, key);
      await expire(store, key, HOUR_MS);
      const { ttl, expiresAt, ...rest } = await found(store, key);
      assert.deepEqual({ ...rest, updatedAt: before.updatedAt }, before);
      assert.equal(ttl, HOUR_MS);
      assert.ok(expiresAt);
      await committed(store, key, token, 11n);
      const after = await found(store, key);
      assert.equal(after.ttl, HOUR_MS, "later renewals use the new ttl");
      assertLifetime(after.committedAt, after.expiresAt, HOUR_MS, capabilities.expiry.granularityMs);
      await expire(store, key, null);
      const never = await found(store, key);
      assert.equal(never.ttl, undefined);
      assert.equal(never.expiresAt, undefined);
      await committed(store, key, token, 12n);
    },
  },
  {
    id: "ttl/expire-after-reset",
    clause: "3.5f",
    title: "expire does not hand a withdrawn claim back",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await reset(store, key, 10n);
      await expire(store, key, HOUR_MS);
      assert.deepEqual(await store.commit([{ key, token, nextOffset: 11n }]), [{ status: "fenced", reason: "reset" }]);
      assert.equal((await found(store, key)).owner, undefined);
    },
  },
  {
    id: "ttl/expire-absent",
    clause: "3.5f",
    title: "expire of a key that has no record is absent and makes none; without a ttl it is a TypeError",
    run: async ({ store }) => {
      assert.deepEqual(await store.expire([{ key: keyOf(), ttl: HOUR_MS }]), [{ status: "absent" }]);
      assert.equal(await fetched(store, keyOf()), undefined);
      const without = { key: keyOf(), ttl: undefined } as unknown as { key: ReturnType<typeof keyOf>; ttl: null };
      await assert.rejects(store.expire([without]), TypeError);
    },
  },
];

function assertLifetime(
  renewedAt: Date | undefined,
  expiresAt: Date | undefined,
  ttl: number,
  granularityMs: number,
): void {
  assert.ok(renewedAt && expiresAt, "the record has no times");
  const lifetime = expiresAt.getTime() - renewedAt.getTime();
  assert.ok(
    Math.abs(lifetime - ttl) <= granularityMs,
    `expires ${lifetime} ms after its renewal; its ttl is ${ttl} ms and the clock's step ${granularityMs} ms`,
  );
}
