import { type CommitEntry, type CommitOutcome, formatKey, type OffsetStore, OffsetStoreError } from "@tidemark/core";
import { type Exhibit, inTurn, keysOf, turn } from "./exhibit.ts";

/** Faults that show when several clients write at once, or when one goes on after its claim was lost. */
export const galleryOfRaces: readonly Exhibit[] = [
  {
    fault: "a commit reads, then writes without a condition",
    caseId: "race/shared-token",
    says: /the highest position was lost/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const [entry] = entries;
        const [before] = await store.fetch(keysOf(entries));
        await turn();
        const stored = before?.status === "found" ? before.record : undefined;
        if (entry === undefined || entries.length > 1) return store.commit(entries, options);
        if (stored && (stored.nextOffset ?? 0n) > (entry.nextOffset ?? 0n))
          return [{ status: "behind", record: stored }];
        const [now] = await store.fetch(keysOf(entries));
        const isBack = now?.status === "found" && (now.record.nextOffset ?? 0n) > (entry.nextOffset ?? 0n);
        return store.commit([{ ...entry, ...(entry.nextOffset !== undefined && isBack && { rewind: true }) }], options);
      },
    }),
  },
  {
    fault: "the claim is checked before the write, and not in it",
    caseId: "race/claim-then-commit",
    says: /behind although|clients hold|was fenced|not the number of acknowledged steps|false == true|stays/,
    spoil: ({ store, shared }) => ({
      claim: async (entries, options) => {
        for (const { token, owner } of entries) shared.set(token, owner);
        return inTurn(shared, () => store.claim(entries, options));
      },
      commit: async (entries) => {
        const checked = await inTurn(shared, () => store.commit(entries.map(({ key, token }) => ({ key, token }))));
        if (checked.some(({ status }) => status !== "committed")) return checked;
        await turn();
        return inTurn(shared, () => seizing(store, entries, (token) => shared.get(token)));
      },
    }),
  },
  {
    fault: "every first claim of a race holds",
    caseId: "race/first-claims",
    says: /8 of 8 tokens hold the same claim/,
    spoil: ({ store, shared }) => ({
      claim: async (entries, options) => {
        for (const { token, owner } of entries) shared.set(token, owner);
        return store.claim(entries, options);
      },
      commit: async (entries, options) => {
        if (!entries.every(({ token }) => shared.has(token))) return store.commit(entries, options);
        return inTurn(shared, () => seizing(store, entries, (token) => shared.get(token)));
      },
    }),
  },
  {
    fault: "a commit under way lands on an operator's position",
    caseId: "race/reset-against-commits",
    says: /a commit landed on the operator's position/,
    spoil: ({ store, shared }) => ({
      reset: async (entries, options) => {
        for (const { key } of entries) shared.set(`reset ${formatKey(key)}`, true);
        return store.reset(entries, options);
      },
      commit: async (entries, options) => {
        await turn();
        const again = entries.filter(({ key }) => shared.delete(`reset ${formatKey(key)}`));
        await store.claim(again.map(({ key, token }) => ({ key, token, owner: "running" })));
        return store.commit(entries, options);
      },
    }),
  },
  {
    fault: "batches in different orders wait for each other",
    caseId: "race/batches-in-any-order",
    says: /deadlock detected/,
    spoil: ({ store, shared }) => ({
      reset: async (entries, options) => {
        const held: string[] = [];
        try {
          for (const { key } of entries) {
            const lock = `lock ${formatKey(key)}`;
            for (let turns = 0; shared.has(lock); turns += 1) {
              if (turns > 1_000) {
                throw new OffsetStoreError("deadlock detected", {
                  code: "UNAVAILABLE",
                  operation: "reset",
                  store: "memory",
                });
              }
              await turn();
            }
            shared.set(lock, true);
            held.push(lock);
            await turn();
          }
          return await store.reset(entries, options);
        } finally {
          for (const lock of held) shared.delete(lock);
        }
      },
    }),
  },
  {
    fault: "a rewind helps a token that does not hold",
    caseId: "rewind/wrong-token",
    says: /committed/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const back = entries.filter(({ rewind }) => rewind === true);
        await store.claim(back.map(({ key, token }) => ({ key, token, owner: "holder" })));
        return store.commit(entries, options);
      },
    }),
  },
  {
    fault: "a commit after a delete brings the record back",
    caseId: "fence/absent",
    says: /committed/,
    spoil: ({ store }) => ({
      commit: (entries, options) =>
        store.commit(
          entries.map((entry) => ({ ...entry, recreate: true, owner: "back" })),
          options,
        ),
    }),
  },
  {
    fault: "the owner decides, not the token",
    caseId: "fence/owner-is-information",
    says: /committed/,
    spoil: ({ store, shared }) => ({
      claim: async (entries, options) => {
        for (const { key, token, owner } of entries) {
          shared.set(`${formatKey(key)} ${token}`, owner);
          shared.set(formatKey(key), owner);
        }
        return store.claim(entries, options);
      },
      commit: async (entries, options) => {
        const same = entries.filter(({ key, token }) => {
          const owner = shared.get(formatKey(key));
          return owner !== undefined && shared.get(`${formatKey(key)} ${token}`) === owner;
        });
        await store.claim(same.map(({ key, token }) => ({ key, token, owner: String(shared.get(formatKey(key))) })));
        return store.commit(entries, options);
      },
    }),
  },
  {
    fault: "tokens are compared without regard to case",
    caseId: "fence/token-compared-whole",
    says: /passed for/,
    spoil: ({ store }) => ({
      claim: (entries, options) =>
        store.claim(
          entries.map((entry) => ({ ...entry, token: entry.token.toLowerCase() })),
          options,
        ),
      commit: (entries, options) =>
        store.commit(
          entries.map((entry) => ({ ...entry, token: entry.token.toLowerCase() })),
          options,
        ),
    }),
  },
  {
    fault: "the same token again is a new claim",
    caseId: "claim/same-token-is-same-claim",
    says: /deeply equal|deep-equal|strictly equal/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => {
        await store.claim(entries.map((entry) => ({ ...entry, token: `${entry.token} before`.slice(0, 255) })));
        return store.claim(entries, options);
      },
    }),
  },
  {
    fault: "a sweep goes by the expiry that it saw first",
    caseId: "sweep/never-removes-a-renewed-one",
    says: /nothing is stored/,
    spoil: ({ store, shared }) => ({
      delete: async (selector, options) => {
        if (!("expired" in selector)) return store.delete(selector, options);
        const dead = [];
        for await (const { consumer, topic, partition, expiresAt } of store.list()) {
          const key = { consumer, topic, partition };
          const name = `expires ${formatKey(key)}`;
          if (!shared.has(name) && expiresAt !== undefined) shared.set(name, expiresAt.getTime());
          if (Number(shared.get(name) ?? Number.POSITIVE_INFINITY) <= Date.now()) dead.push(key);
        }
        return store.delete({ keys: dead });
      },
    }),
  },
  {
    fault: "a listing goes by numbers of rows that move under it",
    caseId: "list/while-others-write",
    says: /got \d+ entries instead of \d+|listed twice/,
    spoil: ({ store }) => ({
      list: async function* (filter, options) {
        for (let from = 0; ; from += 100) {
          const all = [];
          for await (const record of store.list(filter, options)) all.push(record);
          yield* all.slice(from, from + 100);
          if (from >= all.length) return;
        }
      },
    }),
  },
  {
    fault: "closing drops what is under way",
    caseId: "lifecycle/close-waits",
    says: /failed|strictly equal|deeply equal|deep-equal/,
    spoil: ({ store }) => {
      let closed = false;
      return {
        claim: async (entries, options) => {
          await turn();
          if (!closed) return store.claim(entries, options);
          return entries.map(() => ({ status: "claimed", epoch: 1, record: undefined }));
        },
        close: () => {
          closed = true;
          return Promise.resolve();
        },
      };
    },
  },
  {
    fault: "a call never answers",
    caseId: "lifecycle/timeout-is-an-option",
    says: /a call hangs/,
    spoil: () => ({ fetch: () => new Promise(() => undefined) }),
  },
  {
    fault: "an abort in flight is ignored",
    caseId: "lifecycle/abort-in-flight",
    says: /did not reject with signal.reason|Missing expected rejection/,
    spoil: ({ store }) => ({
      commit: async (entries, options): Promise<CommitOutcome[]> => {
        options?.signal?.throwIfAborted();
        return store.commit(entries);
      },
    }),
  },
];

/** Takes the claim and commits under it. */
async function seizing(
  store: OffsetStore,
  entries: readonly CommitEntry[],
  ownerOf: (token: string) => unknown,
): Promise<CommitOutcome[]> {
  await store.claim(entries.map(({ key, token }) => ({ key, token, owner: String(ownerOf(token)) })));
  return store.commit(entries);
}
