import { type ClaimOutcome, type CommitEntry, type CommitOutcome, formatKey, type OffsetKey } from "@tidemark/core";
import { type Exhibit, keysOf, turn } from "./exhibit.ts";

/** Faults that show where one call has several entries. */
export const galleryOfBatches: readonly Exhibit[] = [
  {
    fault: "claims are answered in the order of the names",
    caseId: "batch/answers-in-order",
    says: /claim of .* was answered for another key/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => answersSorted(keysOf(entries), await store.claim(entries, options), byName),
    }),
  },
  {
    fault: "commits are answered in the order of the names, backwards",
    caseId: "batch/answers-in-order",
    says: /commit of .* was answered for another key/,
    spoil: ({ store }) => ({
      commit: async (entries, options) =>
        answersSorted(keysOf(entries), await store.commit(entries, options), (left, right) => byName(right, left)),
    }),
  },
  {
    fault: "fetches are answered in the order of insertion",
    caseId: "batch/answers-in-order",
    says: /fetch of .* was answered for another key/,
    spoil: ({ store, shared }) => ({
      claim: (entries, options) => {
        for (const { key } of entries) {
          const name = `inserted ${formatKey(key)}`;
          if (!shared.has(name)) shared.set(name, shared.size);
        }
        return store.claim(entries, options);
      },
      fetch: async (keys, options) => {
        const since = (key: OffsetKey): number => Number(shared.get(`inserted ${formatKey(key)}`) ?? Infinity);
        return answersSorted(keys, await store.fetch(keys, options), (left, right) => since(left) - since(right) || 0);
      },
    }),
  },
  {
    fault: "expire answers for what is there first",
    caseId: "batch/answers-in-order",
    says: /expire of .* was answered for another key/,
    spoil: ({ store }) => ({
      expire: async (entries, options) =>
        (await store.expire(entries, options)).toSorted((left, right) => right.status.localeCompare(left.status)),
    }),
  },
  {
    fault: "a batch lives as long as its first entry says",
    caseId: "batch/entries-of-their-own",
    says: /the ttl of another entry/,
    spoil: ({ store }) => ({
      commit: (entries, options) =>
        store.commit(
          entries.map((entry) => ({ ...entry, ttl: entries[0]?.ttl })),
          options,
        ),
    }),
  },
  {
    fault: "a batch of claims lives as long as its last entry says",
    caseId: "batch/entries-of-their-own",
    says: /the ttl of another entry/,
    spoil: ({ store }) => ({
      claim: (entries, options) =>
        store.claim(
          entries.map((entry) => ({ ...entry, ttl: entries.at(-1)?.ttl })),
          options,
        ),
    }),
  },
  {
    fault: "what one entry may recreate, all of its batch may",
    caseId: "batch/entries-of-their-own",
    says: /recreate of another entry/,
    spoil: ({ store }) => ({
      commit: (entries, options) => {
        const recreating = entries.find(({ recreate }) => recreate === true);
        return store.commit(
          entries.map((entry) => ({ ...entry, recreate: recreating !== undefined, owner: recreating?.owner ?? "o" })),
          options,
        );
      },
    }),
  },
  {
    fault: "a whole batch goes back to where its first entry may",
    caseId: "batch/entries-of-their-own",
    says: /the rewind of another entry/,
    spoil: ({ store }) => ({
      commit: (entries: readonly CommitEntry[], options) =>
        store.commit(
          entries.map((entry) =>
            entry.nextOffset === undefined ? entry : { ...entry, rewind: entries.some(({ rewind }) => rewind) },
          ),
          options,
        ),
    }),
  },
  {
    fault: "a whole batch holds by the epoch of its first entry",
    caseId: "batch/entries-of-their-own",
    says: /the epoch of another entry/,
    spoil: ({ store }) => ({
      commit: (entries: readonly CommitEntry[], options) =>
        store.commit(
          entries.map((entry) => (entry.epoch === undefined ? entry : { ...entry, epoch: entries[0]?.epoch })),
          options,
        ),
    }),
  },
  {
    fault: "a batch that releases one key releases all",
    caseId: "batch/entries-of-their-own",
    says: /fenced|held as another/,
    spoil: ({ store }) => ({
      commit: (entries: readonly CommitEntry[], options) =>
        store.commit(
          entries.map((entry) => ({ ...entry, release: entries.some(({ release }) => release) })),
          options,
        ),
    }),
  },
  {
    fault: "batches are atomic up to 100 entries, and said to be up to 1,000",
    caseId: "race/batch-is-seen-whole",
    says: /a fetch saw a part of 500 commits/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const outcomes: CommitOutcome[] = [];
        for (let from = 0; from < entries.length; from += 100) {
          outcomes.push(...(await store.commit(entries.slice(from, from + 100), options)));
          await turn();
        }
        return outcomes;
      },
    }),
  },
  {
    fault: "claims of a batch are written one after the other",
    caseId: "race/batch-is-seen-whole",
    says: /a fetch saw a part of 500 claims/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => {
        const outcomes: ClaimOutcome[] = [];
        for (let from = 0; from < entries.length; from += 50) {
          outcomes.push(...(await store.claim(entries.slice(from, from + 50), options)));
          await turn();
        }
        return outcomes;
      },
    }),
  },
  {
    fault: "a fetch answers for its first thousand keys",
    caseId: "list/many",
    says: /fetched in one call was not found/,
    spoil: ({ store }) => ({
      fetch: async (keys, options) => [
        ...(await store.fetch(keys.slice(0, 1_000), options)),
        ...keys.slice(1_000).map(() => ({ status: "absent" as const })),
      ],
    }),
  },
];

function byName(left: OffsetKey, right: OffsetKey): number {
  return (
    Number(left.consumer > right.consumer) - Number(left.consumer < right.consumer) ||
    Number(left.topic > right.topic) - Number(left.topic < right.topic) ||
    left.partition - right.partition
  );
}

/** The answers in the order in which the backend keeps their keys. */
function answersSorted<Answer>(
  keys: readonly OffsetKey[],
  answers: readonly Answer[],
  compare: (left: OffsetKey, right: OffsetKey) => number,
): Answer[] {
  const pairs = keys.map((key, index) => ({ key, answer: answers[index] as Answer }));
  return pairs.toSorted((left, right) => compare(left.key, right.key)).map(({ answer }) => answer);
}
