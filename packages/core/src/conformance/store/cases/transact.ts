import { assert } from "../../assert.ts";
import { OffsetStoreError } from "../../../errors/offset-store-error.ts";
import type { CommitRefusal, OffsetStore, TransactEntry } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import type { ConformanceContext } from "../conformance-context.ts";
import { claim, claimed, committed, fetched, found, keyOf, newToken, only, reset } from "../outcomes.ts";

/** Positions in transactions that the store begins itself. Bodies are synchronous: not every store takes others. */
export const transactCases: readonly ConformanceCase[] = [
  {
    id: "transact/commits",
    clause: "3.16f",
    title: "a transaction of the store's own stores the position when it resolves, and keeps what it does not say",
    run: async (context) => {
      const transact = transactOf(context);
      if (transact === undefined) return;
      const { store } = context;
      const { store: other } = await context.openAnother();
      const [key, token] = [keyOf(), newToken()];
      const { epoch } = await claimed(store, key, token, { owner: "holder" });
      await committed(store, key, token, 10n, { metadata: "ten" });
      const given: unknown[] = [];
      const outcome = await transact({ key, token, epoch, from: 10n, nextOffset: 500n }, (transaction) => {
        given.push(transaction);
      });
      assert.deepEqual(outcome, { status: "committed" });
      assert.equal(given.length, 1, `the body ran ${given.length} times without a conflict`);
      assert.ok(given[0] !== undefined && given[0] !== null, "the body got no transaction");
      const { nextOffset, metadata, owner } = await found(other, key);
      assert.deepEqual([nextOffset, metadata, owner], [500n, "ten", "holder"]);
      const more = { metadata: "m", mark: "log", acknowledged: [{ from: 603n, to: 605n }] };
      await transact({ key, token, epoch, from: 501n, nextOffset: 600n, ...more }, () => undefined);
      const record = await found(other, key);
      assert.deepEqual({ metadata: record.metadata, mark: record.mark, acknowledged: record.acknowledged }, more);
      await committed(store, key, token, 601n);
    },
  },
  {
    id: "transact/body-fails",
    clause: "3.16f",
    title: "what a body throws rejects as it is, and nothing of its transaction is stored; the next one works",
    run: async (context) => {
      const transact = transactOf(context);
      if (transact === undefined) return;
      const { store } = context;
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n);
      const before = await found(store, key);
      const failure = new Error("the insert failed");
      for (let attempt = 0; attempt < 20; attempt += 1) {
        const call = transact({ key, token, from: 10n, nextOffset: 11n }, () => {
          throw failure;
        });
        await assert.rejects(call, (error: unknown) => {
          assert.equal(error, failure, "what the body threw is not what the call rejects with");
          return true;
        });
        assert.deepEqual(await found(store, key), before, "the position of a body that failed is stored");
      }
      await transact({ key, token, from: 10n, nextOffset: 11n }, () => undefined);
      assert.equal((await found(store, key)).nextOffset, 11n);
    },
  },
  {
    id: "transact/refused",
    clause: "3.16g",
    title: "a claim that does not hold, and results that are stored already, reject with CONFLICT; nothing is written",
    run: async (context) => {
      const transact = transactOf(context);
      if (transact === undefined) return;
      const { store } = context;
      const [ahead, taken, moved, missing] = [0, 1, 2, 3].map((partition) => keyOf({ partition }));
      assert.ok(ahead && taken && moved && missing);
      const token = newToken();
      await store.claim([ahead, taken, moved].map((key) => ({ key, token, owner: "o" })));
      await store.commit([ahead, taken, moved].map((key) => ({ key, token, nextOffset: 10n })));
      await claim(store, taken, newToken(), { owner: "newer" });
      await reset(store, moved, 3n);
      const record = await found(store, ahead);
      const refusals: [TransactEntry, CommitRefusal][] = [
        [
          { key: ahead, token, from: 5n, nextOffset: 10n },
          { status: "behind", record },
        ],
        // Some of its results are stored: the position alone would not show it.
        [
          { key: ahead, token, from: 9n, nextOffset: 20n },
          { status: "behind", record },
        ],
        [
          { key: taken, token, from: 10n, nextOffset: 20n },
          { status: "fenced", reason: "superseded", owner: "newer" },
        ],
        [
          { key: moved, token, from: 10n, nextOffset: 20n },
          { status: "fenced", reason: "reset" },
        ],
        [
          { key: missing, token, from: 10n, nextOffset: 20n },
          { status: "fenced", reason: "absent" },
        ],
      ];
      for (const [entry, refusal] of refusals) {
        await assert.rejects(
          transact(entry, () => undefined),
          (error: unknown) => {
            assert.ok(error instanceof OffsetStoreError, `not an OffsetStoreError: ${String(error)}`);
            assert.equal(error.code, "CONFLICT");
            assert.equal(error.operation, "transact");
            assert.deepEqual(error.refusal, refusal);
            assert.deepEqual(error.keys, [entry.key]);
            return true;
          },
        );
      }
      assert.deepEqual(await found(store, ahead), record);
      assert.equal((await found(store, taken)).nextOffset, 10n);
      assert.equal((await found(store, moved)).nextOffset, 3n);
      assert.equal(await fetched(store, missing), undefined);
      await transact({ key: ahead, token, from: 10n, nextOffset: 11n }, () => undefined);
    },
  },
  {
    id: "transact/beside-others",
    clause: "3.16g",
    title: "transactions of many keys, and calls beside them, all get through, and no position goes back",
    run: async (context) => {
      const transact = transactOf(context);
      if (transact === undefined) return;
      const { store } = context;
      const keys = Array.from({ length: 8 }, (_, partition) => keyOf({ partition }));
      const token = newToken();
      await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      await store.commit(keys.map((key) => ({ key, token, nextOffset: 0n })));
      await Promise.all(
        keys.map(async (key, index) => {
          for (let from = 0n; from < 6n; from += 1n) {
            const isOwn = (BigInt(index) + from) % 2n === 0n;
            if (isOwn) await transact({ key, token, from, nextOffset: from + 1n }, () => undefined);
            else await committed(store, key, token, from + 1n);
            // A renewal, which knows what was committed last.
            const renewal = only(await store.commit([{ key, token }]));
            assert.equal(renewal.status, "committed");
            assert.equal((await found(store, key)).nextOffset, from + 1n, "a position went back, or was lost");
          }
        }),
      );
    },
  },
];

/** The verb, where the store has transactions of its own. */
function transactOf(context: ConformanceContext): NonNullable<OffsetStore<unknown>["transact"]> | undefined {
  const { store } = context;
  if (store.transact === undefined) {
    context.notPromised("no `begin`");
    return undefined;
  }
  assert.ok(store.capabilities.transactions, "a store with transactions of its own commits inside them");
  return store.transact.bind(store);
}
