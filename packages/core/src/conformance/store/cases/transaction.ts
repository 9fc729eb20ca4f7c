import { assert } from "../../assert.ts";
import { OffsetStoreError } from "../../../errors/offset-store-error.ts";
import type { CommitEntry, CommitRefusal } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import type { OpenTransaction } from "../store-harness.ts";
import { claim, committed, fetched, found, keyOf, listed, newToken, reset } from "../outcomes.ts";

/** Commits inside the caller's own transaction, or the refusal of a store that cannot. */
export const transactionCases: readonly ConformanceCase[] = [
  {
    id: "transaction/commits-with-it",
    clause: "3.16a",
    title: "a position committed inside a transaction is visible to others only after the caller's commit",
    run: async (context) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(context.store, key, token);
      await committed(context.store, key, token, 10n);
      const open = await begin(context, { key, token, nextOffset: 11n });
      if (open === undefined) return;
      const { store: other } = await context.openAnother();
      const { transaction } = open;
      assert.deepEqual(await context.store.commit([{ key, token, nextOffset: 11n, metadata: "m" }], { transaction }), [
        { status: "committed" },
      ]);
      assert.equal((await found(other, key)).nextOffset, 10n, "visible before the caller committed");
      await open.commit();
      assert.equal((await found(other, key)).nextOffset, 11n);
      await committed(context.store, key, token, 12n);
    },
  },
  {
    id: "transaction/rolls-back-with-it",
    clause: "3.16a",
    title: "a rolled back transaction leaves the position as it was",
    run: async (context) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(context.store, key, token);
      await committed(context.store, key, token, 10n);
      const before = await found(context.store, key);
      const open = await begin(context, { key, token, nextOffset: 11n });
      if (open === undefined) return;
      await context.store.commit([{ key, token, nextOffset: 11n }], { transaction: open.transaction });
      await open.rollback();
      assert.deepEqual(await found(context.store, key), before);
      await committed(context.store, key, token, 11n);
    },
  },
  {
    id: "transaction/refusal-throws",
    clause: "3.16b",
    title: "a refusal inside a transaction rejects with CONFLICT and carries it, and nothing is written",
    run: async (context) => {
      const { store } = context;
      const [ahead, taken, moved, missing] = [0, 1, 2, 3].map((partition) => keyOf({ partition }));
      assert.ok(ahead && taken && moved && missing);
      const token = newToken();
      await store.claim([ahead, taken, moved].map((key) => ({ key, token, owner: "o" })));
      await store.commit([ahead, taken, moved].map((key) => ({ key, token, nextOffset: 10n })));
      await claim(store, taken, newToken(), { owner: "newer" });
      await reset(store, moved, 3n);
      const record = await found(store, ahead);
      const refusals: [typeof ahead, CommitRefusal][] = [
        [ahead, { status: "behind", record }],
        [taken, { status: "fenced", reason: "superseded", owner: "newer" }],
        [moved, { status: "fenced", reason: "reset" }],
        [missing, { status: "fenced", reason: "absent" }],
      ];
      for (const [key, refusal] of refusals) {
        const entry = { key, token, nextOffset: 9n };
        const open = await begin(context, entry);
        if (open === undefined) return;
        // Where this fails the case's end rolls back, and so for all that follow.
        await assert.rejects(store.commit([entry], { transaction: open.transaction }), (error: unknown) => {
          assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
          assert.equal(error.code, "CONFLICT");
          assert.deepEqual(error.refusal, refusal);
          assert.deepEqual(error.keys, [key]);
          return true;
        });
        await open.rollback();
      }
      assert.deepEqual(await found(store, ahead), record);
      assert.equal((await found(store, taken)).nextOffset, 10n);
      assert.equal((await found(store, moved)).nextOffset, 3n);
      assert.equal(await fetched(store, missing), undefined);
    },
  },
  {
    id: "transaction/not-open",
    clause: "3.16c",
    title: "a commit inside a transaction that is over rejects, and nothing is written",
    run: async (context) => {
      const { store } = context;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      for (const end of ["commit", "rollback"] as const) {
        const open = await begin(context, { key, token, nextOffset: 1n });
        if (open === undefined) return;
        await open[end]();
        await assert.rejects(
          store.commit([{ key, token, nextOffset: 1n }], { transaction: open.transaction }),
          `a commit inside a transaction that has ended by ${end} was accepted`,
        );
      }
      assert.equal((await found(store, key)).nextOffset, undefined);
    },
  },
];

/** Begins a transaction, or proves that a store without them refuses before it writes, and gives `undefined`. */
async function begin(context: ConformanceContext, entry: CommitEntry): Promise<OpenTransaction | undefined> {
  const { opened, store } = context;
  if (context.hasTransactions()) return context.beginTransaction();
  assert.equal(opened.beginTransaction, undefined, "a store without transactions has none to begin");
  const before = await listed(store);
  await assert.rejects(store.commit([entry], { transaction: {} }), (error: unknown) => {
    assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
    assert.equal(error.code, "UNSUPPORTED");
    assert.equal(error.operation, "commit");
    return true;
  });
  assert.deepEqual(await listed(store), before, "the refused commit has written");
  return undefined;
}
