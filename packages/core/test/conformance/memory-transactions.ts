import { type CommitEntry, type OffsetStore, OffsetStoreError } from "@tidemark/core";
import type { OpenTransaction } from "@tidemark/core/conformance";

/** A caller's transaction: what is written when it is committed. */
export class MemoryTransaction {
  readonly writes: CommitEntry[] = [];
  isOpen = true;
}

/** Begins a transaction whose positions a memory store writes at its end. */
export function beginMemoryTransaction(store: OffsetStore): OpenTransaction {
  const transaction = new MemoryTransaction();
  return {
    transaction,
    commit: async () => {
      transaction.isOpen = false;
      await store.commit(transaction.writes);
    },
    rollback: async () => {
      transaction.isOpen = false;
    },
  };
}

/** The store's `commit` for callers that have such a transaction. Only for a test: nothing holds others off meanwhile. */
export function committingWithin(store: OffsetStore): OffsetStore["commit"] {
  return async (entries, options: { readonly transaction?: unknown } = {}) => {
    const { transaction } = options;
    if (!(transaction instanceof MemoryTransaction)) return store.commit(entries, options as object);
    if (!transaction.isOpen) throw new Error("the transaction is over");
    const found = await store.fetch(entries.map(({ key }) => key));
    const held = await store.commit(entries.map(({ key, token }) => ({ key, token })));
    entries.forEach(({ key, nextOffset }, index) => {
      const [outcome, stored] = [held[index], found[index]];
      const record = stored?.status === "found" ? stored.record : undefined;
      const isBehind = (record?.nextOffset ?? 0n) > (nextOffset ?? 2n ** 63n);
      const refusal =
        outcome?.status === "fenced" ? outcome : isBehind && record ? { status: "behind" as const, record } : undefined;
      if (refusal === undefined) return;
      const about = { operation: "commit", store: store.name, keys: [key] } as const;
      throw new OffsetStoreError("refused; roll the transaction back", { code: "CONFLICT", ...about, refusal });
    });
    transaction.writes.push(...entries);
    return entries.map(() => ({ status: "committed" }));
  };
}
