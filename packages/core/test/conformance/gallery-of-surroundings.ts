import { type CommitEntry, OffsetStoreError } from "@tidemark/core";
import type { Exhibit } from "./exhibit.ts";

/** Faults of files, of connections, and of what is said about them. */
export const galleryOfSurroundings: readonly Exhibit[] = [
  {
    fault: "the last write is kept back, and lost when the store is closed",
    caseId: "lifecycle/durable",
    says: /the last commit before closing was lost/,
    surroundings: "durable",
    spoil: ({ store }) => {
      let held: readonly CommitEntry[] = [];
      const written = async (): Promise<void> => {
        const entries = held;
        held = [];
        if (entries.length > 0) await store.commit(entries);
      };
      const after =
        <Given extends unknown[], Result>(call: (...given: Given) => Promise<Result>) =>
        (...given: Given): Promise<Result> =>
          written().then(() => call.apply(store, given));
      return {
        claim: after(store.claim),
        fetch: after(store.fetch),
        reset: after(store.reset),
        expire: after(store.expire),
        delete: after(store.delete),
        list: async function* (...given) {
          await written();
          yield* store.list(...given);
        },
        commit: after(async (entries) => {
          // Nobody notices: whether it will be refused is known already.
          const outcomes = await store.commit(entries.map(({ key, token }) => ({ key, token })));
          if (outcomes.some(({ status }) => status !== "committed")) return store.commit(entries);
          held = entries;
          return outcomes;
        }),
      };
    },
  },
  {
    fault: "an error is read as absent",
    caseId: "failure/outage",
    says: /fetch was answered although the store cannot be reached/,
    surroundings: "remote",
    spoil: ({ store }) => ({
      fetch: (keys, options) => store.fetch(keys, options).catch(() => keys.map(() => ({ status: "absent" }))),
    }),
  },
  {
    fault: "a token is in the message of an error",
    caseId: "failure/messages-keep-secrets",
    says: /a token is in the message/,
    spoil: ({ store }) => ({
      commit: (entries, options) =>
        store.commit(entries, options).catch((error: unknown) => {
          if (!(error instanceof OffsetStoreError)) throw error;
          const { code, operation, retryable } = error;
          const message = `${error.message}: ${JSON.stringify(entries.map(({ token }) => token))}`;
          throw new OffsetStoreError(message, { code, operation, store: store.name, retryable });
        }),
    }),
  },
];
