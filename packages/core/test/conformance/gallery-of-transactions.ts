import { type CommitEntry, type CommitOptions, type CommitOutcome, formatKey, type OffsetStore } from "@tidemark/core";
import { type Exhibit } from "./exhibit.ts";
import { SoundTransaction } from "./sound-backend.ts";

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
    fault: "inside a transaction the same position is committed again",
    caseId: "transaction/same-position",
    says: /it was answered, and not refused/,
    surroundings: "transactional",
    spoil: ({ store }) =>
      within(store, (entries, transaction, inside) =>
        inside(entries, transaction).catch((error: { refusal?: CommitOutcome }) => {
          const { refusal } = error;
          const isSame = refusal?.status === "behind" && refusal.record.nextOffset === entries[0]?.nextOffset;
          if (!isSame) throw error;
          return [{ status: "committed" }];
        }),
      ),
  },
  {
    fault: "what is refused in a transaction is written by its commit",
    caseId: "transaction/refusal-committed-all-the-same",
    says: /what was refused is written/,
    surroundings: "transactional",
    spoil: ({ store }) =>
      within(store, (entries, transaction, inside) =>
        inside(entries, transaction).catch(async (error: { refusal?: CommitOutcome }) => {
          if (error.refusal?.status !== "behind") throw error;
          await inside(
            entries.map((entry) => ({ ...entry, rewind: true })),
            transaction,
          );
          throw error;
        }),
      ),
  },
  {
    fault: "inside a transaction an expired record is there",
    caseId: "transaction/expired-and-recreated",
    says: /not refused|CONFLICT|CORRUPT|deep/,
    surroundings: "transactional",
    spoil: ({ store, timeless }) =>
      within(store, (entries, transaction) =>
        (timeless as unknown as OffsetStore<SoundTransaction>).commit(entries, { transaction }),
      ),
  },
  {
    fault: "a rewind in a transaction begins no epoch",
    caseId: "transaction/rewind-and-renewal",
    says: /begins no epoch/,
    surroundings: "transactional",
    spoil: ({ store }) =>
      within(store, async (entries, transaction, inside) =>
        (await inside(entries, transaction)).map(({ status }) => ({ status }) as CommitOutcome),
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
  {
    fault: "a transaction of the store's own stores the position and not the metadata that goes with it",
    caseId: "transact/commits",
    says: /deeply equal|deep-equal|deepEqual/,
    surroundings: "transactional",
    spoil: ({ store }) => ({
      transact: (entry, ...rest) => transactOf(store)({ ...entry, metadata: undefined }, ...rest),
    }),
  },
  {
    fault: "a body runs twice although there is no conflict",
    caseId: "transact/commits",
    says: /ran 2 times/,
    surroundings: "transactional",
    spoil: ({ store }) => ({
      transact: (entry, body, ...rest) =>
        transactOf(store)(
          entry,
          (transaction) => {
            body(transaction);
            return body(transaction);
          },
          ...rest,
        ),
    }),
  },
  {
    fault: "the position of a body that failed is stored",
    caseId: "transact/body-fails",
    says: /the position of a body that failed is stored/,
    surroundings: "transactional",
    spoil: ({ store }) => ({
      transact: async (entry, body, ...rest) => {
        let thrown: { readonly error: unknown } | undefined;
        const outcome = await transactOf(store)(
          entry,
          () => {
            try {
              body(undefined as never);
            } catch (error) {
              thrown = { error };
            }
          },
          ...rest,
        );
        if (thrown !== undefined) throw thrown.error;
        return outcome;
      },
    }),
  },
  {
    fault: "what is stored already is stored again, if more comes with it",
    caseId: "transact/refused",
    says: /Missing expected rejection/,
    surroundings: "transactional",
    spoil: ({ store }) => ({
      transact: (entry, ...rest) => transactOf(store)({ ...entry, from: entry.nextOffset - 1n }, ...rest),
    }),
  },
  {
    fault:
      "a transaction of the store's own goes over what is remembered, and a renewal after it sets the position back",
    caseId: "transact/beside-others",
    says: /a position went back, or was lost/,
    surroundings: "transactional",
    spoil: ({ store }) => {
      const remembered = new Map<string, CommitEntry>();
      return {
        commit: async (entries, options) => {
          const sent = entries.map((entry) => {
            const name = formatKey(entry.key);
            if (entry.nextOffset !== undefined) remembered.set(name, entry);
            const known = remembered.get(name);
            return entry.nextOffset === undefined && known !== undefined ? { ...known, rewind: true } : entry;
          });
          const outcomes = await store.commit(sent, options);
          return outcomes.map((outcome) => (outcome.status === "committed" ? { status: "committed" } : outcome));
        },
      };
    },
  },
];

/** Of a store with transactions of its own. */
function transactOf(store: OffsetStore): NonNullable<OffsetStore["transact"]> {
  const { transact } = store;
  if (transact === undefined) throw new Error("the store has no transactions of its own");
  return transact;
}

type Inside = (entries: readonly CommitEntry[], transaction: SoundTransaction) => Promise<CommitOutcome[]>;

/** Commits that do something else inside a transaction. */
function within(
  store: OffsetStore<SoundTransaction>,
  commit: (entries: readonly CommitEntry[], transaction: SoundTransaction, inside: Inside) => Promise<CommitOutcome[]>,
): Pick<OffsetStore, "commit"> {
  const inside: Inside = (entries, transaction) => store.commit(entries, { transaction });
  return {
    commit: (entries, options: CommitOptions<unknown> = {}) =>
      options.transaction instanceof SoundTransaction
        ? commit(entries, options.transaction, inside)
        : store.commit(entries, options as CommitOptions<SoundTransaction>),
  };
}
