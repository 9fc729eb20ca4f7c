import { type CommitEntry, type CommitOutcome, type OffsetStore } from "@tidemark/core";
import { type Exhibit } from "./exhibit.ts";
import { MemoryTransaction } from "./memory-transactions.ts";

/** Faults of stores that take a caller's transaction. */
export const galleryOfTransactions: readonly Exhibit[] = [
  {
    fault: "a position is seen before its transaction is committed",
    caseId: "transaction/commits-with-it",
    says: /visible before the caller committed/,
    surroundings: "transactional",
    spoil: ({ store }) =>
      within(store, async (entries, transaction, inside) => {
        const outcomes = await inside(entries, transaction);
        await store.commit(entries);
        return outcomes;
      }),
  },
  {
    fault: "a position outlives the transaction that was rolled back",
    caseId: "transaction/rolls-back-with-it",
    says: /deeply equal|deep-equal|deepEqual/,
    surroundings: "transactional",
    spoil: ({ store }) => within(store, (entries) => store.commit(entries)),
  },
  {
    fault: "a refusal in a transaction is an answer, and the caller's writes stay",
    caseId: "transaction/refusal-throws",
    says: /Missing expected rejection/,
    surroundings: "transactional",
    spoil: ({ store }) =>
      within(store, (entries, transaction, inside) =>
        inside(entries, transaction).catch((error: { refusal?: CommitOutcome }) => {
          if (error.refusal === undefined) throw error;
          return [error.refusal];
        }),
      ),
  },
  {
    fault: "a refusal in a transaction does not say why",
    caseId: "transaction/refusal-throws",
    says: /deeply equal|deep-equal|deepEqual/,
    surroundings: "transactional",
    spoil: ({ store }) =>
      within(store, (entries, transaction, inside) =>
        inside(entries, transaction).catch((error: Error) => {
          Object.defineProperty(error, "refusal", { value: undefined });
          throw error;
        }),
      ),
  },
  {
    fault: "a transaction that is over is taken for none",
    caseId: "transaction/not-open",
    says: /has ended by commit was accepted/,
    surroundings: "transactional",
    spoil: ({ store }) =>
      within(store, (entries, transaction, inside) =>
        transaction.isOpen ? inside(entries, transaction) : store.commit(entries),
      ),
  },
];

type Inside = (entries: readonly CommitEntry[], transaction: MemoryTransaction) => Promise<CommitOutcome[]>;

/** Commits that do something else inside a transaction. */
function within(
  store: OffsetStore<unknown>,
  commit: (entries: readonly CommitEntry[], transaction: MemoryTransaction, inside: Inside) => Promise<CommitOutcome[]>,
): Pick<OffsetStore, "commit"> {
  const inside: Inside = (entries, transaction) => store.commit(entries, { transaction });
  return {
    commit: (entries, options: { readonly transaction?: unknown } = {}) =>
      options.transaction instanceof MemoryTransaction
        ? commit(entries, options.transaction, inside)
        : store.commit(entries, options),
  };
}
