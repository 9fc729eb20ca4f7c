import { AssertionError } from "node:assert";
import { assert } from "../../assert.ts";
import { OffsetStoreError } from "../../../errors/offset-store-error.ts";
import type { OffsetKey } from "../../../key.ts";
import type { CommitEntry, FencedReason } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { leaveExpired } from "../expiry-times.ts";
import { claim, claimed, committed, fetched, found, keyOf, newToken, only, position } from "../outcomes.ts";
import type { OpenTransaction } from "../store-harness.ts";

/** What a commit inside a caller's transaction may find there. A store without transactions proves in other cases that it refuses. */
export const transactionRefusalCases: readonly ConformanceCase[] = [
  {
    id: "transaction/same-position",
    clause: "3.16e",
    title:
      "inside a transaction the position must lie beyond the stored one: the same is behind, also one of this transaction",
    run: async (context) => {
      if (!context.hasTransactions()) return;
      const { store } = context;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n);
      const record = await found(store, key);
      const open = await context.beginTransaction();
      const error = await refusalOf(context, { key, token, nextOffset: 10n }, open.transaction);
      assert.deepEqual(error.refusal, { status: "behind", record });
      await open.rollback();
      const twice = await context.beginTransaction();
      const { transaction } = twice;
      await within(context, { key, token, nextOffset: 11n }, transaction);
      await within(context, { key, token, nextOffset: 12n }, transaction);
      const again = await refusalOf(context, { key, token, nextOffset: 12n }, transaction);
      assert.equal(again.refusal?.status, "behind", "a transaction does not see what it has committed itself");
      await twice.rollback();
      assert.deepEqual(await found(store, key), record);
      // Outside of one the same position is committed, and stays so.
      await committed(store, key, token, 10n);
    },
  },
  {
    id: "transaction/refusal-committed-all-the-same",
    clause: "3.16b",
    title: "a caller who commits after a refusal has written nothing by it",
    run: async (context) => {
      if (!context.hasTransactions()) return;
      const { store } = context;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n, { metadata: "ten" });
      const before = await found(store, key);
      for (const entry of [
        { key, token, nextOffset: 9n, metadata: "nine" },
        { key, token: newToken(), nextOffset: 11n },
        { key: keyOf({ partition: 1 }), token, nextOffset: 11n },
      ]) {
        const open = await context.beginTransaction();
        await refusalOf(context, entry, open.transaction);
        // Some backends end a transaction with the first thing that goes wrong in it: then there is nothing to commit.
        await open.commit().catch(() => undefined);
        assert.deepEqual(await found(store, key), before, "what was refused is written by the caller's commit");
        assert.equal(await fetched(store, keyOf({ partition: 1 })), undefined);
      }
      // Nor by what else was in the call: it was refused as a whole.
      const other = keyOf({ partition: 2 });
      await claim(store, other, token);
      const untouched = await found(store, other);
      const both = [
        { key: other, token, nextOffset: 5n },
        { key, token, nextOffset: 9n },
      ];
      for (const entries of [both, both.toReversed()]) {
        const open = await context.beginTransaction();
        await assertRefused(store.commit(entries, { transaction: open.transaction }), [key]);
        await open.commit().catch(() => undefined);
        assert.deepEqual(await found(store, other), untouched, "a call that was refused is written in part");
        assert.deepEqual(await found(store, key), before);
      }
      await committed(store, key, token, 11n);
    },
  },
  {
    id: "transaction/expired-and-recreated",
    clause: "3.16b",
    title: "inside a transaction an expired record is absent, and recreate writes it again, with it or not at all",
    run: async (context) => {
      if (!context.hasTransactions()) return;
      const { store } = context;
      const key = keyOf();
      const token = await leaveExpired(context, key);
      const open = await context.beginTransaction();
      const error = await refusalOf(context, { key, token, nextOffset: 51n }, open.transaction);
      assert.deepEqual(error.refusal, { status: "fenced", reason: "absent" });
      await open.rollback();
      for (const end of ["rollback", "commit"] as const) {
        const entry = { key, token, nextOffset: 7n, recreate: true, owner: "again" };
        await untilNoneMeets(context, async (anew) => {
          await within(context, entry, anew.transaction);
          await anew[end]();
        });
        const record = await fetched(store, key);
        const expected = end === "commit" ? { nextOffset: 7n, metadata: "" } : undefined;
        assert.deepEqual(position(record), expected, `after a ${end} of a transaction that recreates`);
        assert.equal(record?.ttl, undefined, "an expired ttl came back");
      }
      await committed(store, key, token, 8n);
    },
  },
  {
    id: "transaction/rewind-and-renewal",
    clause: "3.16a",
    title: "a rewind, a renewal and a release inside a transaction become visible with it or not at all",
    run: async (context) => {
      if (!context.hasTransactions()) return;
      const { store, longTtl } = context;
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token, { owner: "holder" });
      await committed(store, key, token, 100n);
      const entries: readonly CommitEntry[] = [
        { key, token, ttl: longTtl },
        { key, token, nextOffset: 3n, rewind: true },
        { key, token, release: true },
      ];
      for (const entry of entries) {
        const before = await found(store, key);
        const undone = await context.beginTransaction();
        await within(context, entry, undone.transaction);
        await undone.rollback();
        assert.deepEqual(await found(store, key), before, "what was rolled back is stored");
        const done = await context.beginTransaction();
        const outcome = await within(context, entry, done.transaction);
        await done.commit();
        const record = await found(store, key);
        assert.equal(record.ttl, longTtl);
        if (entry.rewind !== true) continue;
        assert.equal(record.nextOffset, 3n);
        assert.ok(record.epoch > epoch && outcome.epoch === record.epoch, "a rewind in a transaction begins no epoch");
      }
      const record = await found(store, key);
      assert.deepEqual([record.nextOffset, record.owner], [3n, undefined], "a release in a transaction ends no claim");
    },
  },
  {
    id: "transaction/damaged",
    clause: "3.3a",
    title: "inside a transaction a record that cannot be read rejects with CORRUPT_RECORD, and is left as it is",
    run: async (context) => {
      if (!context.hasTransactions()) return;
      const { store } = context;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      if (!(await context.corrupt(key))) return context.notPromised('durability: "none"');
      for (const more of [{}, { recreate: true, owner: "o" }]) {
        const open = await context.beginTransaction();
        const call = store.commit([{ key, token, nextOffset: 1n, ...more }], { transaction: open.transaction });
        await assert.rejects(call, (error: unknown) => {
          assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
          assert.equal(error.code, "CORRUPT_RECORD");
          return true;
        });
        await open.rollback();
      }
      assert.equal(only(await store.fetch([key])).status, "failed", "a damaged record was written over");
    },
  },
  {
    id: "transaction/several",
    clause: "3.16a",
    title: "several positions of one call become visible together; where one is refused the call rejects and names it",
    run: async (context) => {
      if (!context.hasTransactions()) return;
      const { store } = context;
      const keys = Array.from({ length: 12 }, (_, partition) => keyOf({ topic: `t${partition % 3}`, partition }));
      const token = newToken();
      await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      const entries = keys.map((key, index) => ({ key, token, nextOffset: BigInt(index) }));
      const open = await context.beginTransaction();
      const outcomes = await store.commit(entries, { transaction: open.transaction });
      assert.deepEqual(new Set(outcomes.map(({ status }) => status)), new Set(["committed"]));
      await open.commit();
      const stored = await store.fetch(keys);
      const positions = stored.map((outcome) => (outcome.status === "found" ? outcome.record.nextOffset : -1n));
      assert.deepEqual(
        positions,
        entries.map(({ nextOffset }) => nextOffset),
      );
      const [lost = keyOf()] = keys.slice(5);
      await claim(store, lost, newToken(), { owner: "newer" });
      const refused = await context.beginTransaction();
      const later = entries.map((entry) => ({ ...entry, nextOffset: 50n }));
      await assertRefused(store.commit(later, { transaction: refused.transaction }), [lost], "superseded");
      await refused.rollback();
      assert.deepEqual(
        (await store.fetch(keys)).map((outcome) => (outcome.status === "found" ? outcome.record.nextOffset : -1n)),
        positions,
      );
    },
  },
];

/**
 * A transaction, begun again where it met another, as its caller would (contract 3.16d): a backend that takes back what
 * has expired may do so at any time.
 */
async function untilNoneMeets(
  context: ConformanceContext,
  work: (open: OpenTransaction) => Promise<void>,
  attempts = 5,
): Promise<void> {
  const open = await context.beginTransaction();
  try {
    await work(open);
  } catch (error) {
    if (error instanceof AssertionError || error instanceof OffsetStoreError || attempts === 1) throw error;
    await open.rollback().catch(() => undefined);
    await untilNoneMeets(context, work, attempts - 1);
  }
}

async function within(
  { store }: ConformanceContext,
  entry: CommitEntry,
  transaction: unknown,
): Promise<{ readonly epoch?: number }> {
  const outcome = only(await store.commit([entry], { transaction }));
  if (outcome.status !== "committed") assert.fail(`inside a transaction a commit was answered with ${outcome.status}`);
  return outcome;
}

async function refusalOf(
  { store }: ConformanceContext,
  entry: CommitEntry,
  transaction: unknown,
): Promise<OffsetStoreError> {
  const error: unknown = await store.commit([entry], { transaction }).then(
    (outcomes) => assert.fail(`inside a transaction it was answered, and not refused: ${JSON.stringify(outcomes)}`),
    (thrown: unknown) => thrown,
  );
  if (error instanceof AssertionError) throw error;
  assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
  assert.equal(error.code, "CONFLICT");
  assert.deepEqual(error.keys, [entry.key]);
  return error;
}

async function assertRefused(call: Promise<unknown>, keys: readonly OffsetKey[], reason?: FencedReason): Promise<void> {
  await assert.rejects(call, (error: unknown) => {
    assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
    assert.equal(error.code, "CONFLICT");
    assert.deepEqual(error.keys, keys);
    assert.equal(error.refusal?.status === "fenced" ? error.refusal.reason : undefined, reason);
    return true;
  });
}
