import type { ClaimOutcome, OffsetKey, OffsetStore } from "@tidemark/core";
import { committing, type Exhibit, keysOf, withoutPosition } from "./exhibit.ts";

/** Faults in what is answered, in names, and in times. */
export const galleryOfAnswers: readonly Exhibit[] = [
  {
    fault: "one refused entry refuses its whole batch",
    caseId: "commit/refused-entry-stops-nobody",
    says: /deeply equal|deep-equal/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const held = await store.commit(entries.map(({ key, token }) => ({ key, token })));
        if (held.every(({ status }) => status === "committed")) return store.commit(entries, options);
        return entries.map(() => ({ status: "fenced", reason: "absent" }));
      },
    }),
  },
  {
    fault: "an entry gets the answer of another",
    caseId: "commit/batch-order",
    says: /got \d+ entries instead of \d+/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => (await store.commit(entries, options)).toReversed(),
    }),
  },
  {
    fault: "position 0 is taken for none",
    caseId: "commit/zero-is-a-position",
    says: /undefined|0n/,
    spoil: committing((entry) => (entry.nextOffset === 0n ? withoutPosition(entry) : entry)),
  },
  {
    fault: "a renewal clears the metadata",
    caseId: "commit/renewal-only",
    says: /deeply equal|deep-equal/,
    spoil: committing((entry, stored) =>
      entry.nextOffset !== undefined || stored?.nextOffset === undefined
        ? entry
        : { ...entry, nextOffset: stored.nextOffset, metadata: "" },
    ),
  },
  {
    fault: "a commit of the same position renews nothing",
    caseId: "expiry/renewed-by-same-position",
    says: /went away although it was renewed/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const [found] = await store.fetch(keysOf(entries));
        const [entry] = entries;
        const same = found?.status === "found" && found.record.nextOffset === entry?.nextOffset;
        return same ? [{ status: "committed" }] : store.commit(entries, options);
      },
    }),
  },
  {
    fault: "a reset brings back the ttl of an expired record",
    caseId: "expiry/reset-starts-fresh",
    says: /nothing is stored/,
    spoil: ({ timeless }) => ({ reset: timeless.reset }),
  },
  {
    fault: "a delete returns what had expired",
    caseId: "expiry/delete-not-removed",
    says: /deeply equal|deep-equal/,
    spoil: ({ timeless }) => ({ delete: timeless.delete }),
  },
  {
    fault: "recreate revives what had expired",
    caseId: "recreate/expired",
    says: /deeply equal|deep-equal|strictly equal|committed|behind/,
    spoil: ({ timeless }) => ({ commit: timeless.commit }),
  },
  {
    fault: "expire makes a record where none is",
    caseId: "ttl/expire-absent",
    says: /set|absent/,
    spoil: ({ store }) => ({
      expire: async (entries, options) => {
        await store.commit(entries.map(({ key }) => ({ key, token: "operator", recreate: true, owner: "operator" })));
        return store.expire(entries, options);
      },
    }),
  },
  {
    fault: "a ttl is kept in 32 bits",
    caseId: "ttl/very-long",
    says: /deeply equal|deep-equal|strictly equal/,
    spoil: ({ store }) => ({
      claim: (entries, options) =>
        store.claim(
          entries.map((entry) => (typeof entry.ttl === "number" ? { ...entry, ttl: entry.ttl >>> 0 || 1 } : entry)),
          options,
        ),
    }),
  },
  {
    fault: "names are normalised",
    caseId: "names/odd-topics",
    says: /names met/,
    spoil: ({ store }) => renaming(store, (name) => name.normalize("NFC")),
  },
  {
    fault: "names are compared without regard to case",
    caseId: "names/odd-consumers",
    says: /names met/,
    spoil: ({ store }) => renaming(store, (name) => name.toLowerCase()),
  },
  {
    fault: "names end at a NUL",
    caseId: "names/odd-topics",
    says: /names met|u0000b.* is absent/,
    spoil: ({ store }) => renaming(store, (name) => name.split("\0")[0] || "\0"),
  },
  {
    fault: "the name `__proto__` is lost",
    caseId: "names/odd-topics",
    says: /__proto__/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => {
        const kept = entries.filter(({ key }) => key.topic !== "__proto__");
        const outcomes = (await store.claim(kept, options)).values();
        return entries.map(({ key }) =>
          key.topic === "__proto__"
            ? { status: "claimed", epoch: 1, record: undefined }
            : (outcomes.next().value as ClaimOutcome),
        );
      },
    }),
  },
  {
    fault: "a filter matches by prefix",
    caseId: "list/exact-filters",
    says: /"consumer":"c/,
    spoil: ({ store }) => ({
      list: async function* (filter, options) {
        for await (const record of store.list({}, options)) {
          const { consumer = "", topic = "", partition = record.partition } = filter ?? {};
          if (!record.consumer.startsWith(consumer) || !record.topic.startsWith(topic)) continue;
          if (record.partition === partition) yield record;
        }
      },
    }),
  },
  {
    fault: "an empty selector deletes everything",
    caseId: "delete/empty-selector",
    says: /Missing expected rejection/,
    spoil: ({ store }) => ({
      delete: async (selector, options) => {
        if (Object.keys(selector ?? {}).length > 0) return store.delete(selector, options);
        const keys: OffsetKey[] = [];
        for await (const { consumer, topic, partition } of store.list()) keys.push({ consumer, topic, partition });
        return store.delete({ keys }, options);
      },
    }),
  },
  {
    fault: "a batch takes the same key twice",
    caseId: "delete/duplicates",
    says: /Missing expected rejection/,
    spoil: ({ store }) => ({
      claim: async (entries, options) =>
        (await Promise.all(entries.map((entry) => store.claim([entry], options)))).flat(),
    }),
  },
  {
    fault: "a delete returns keys that were not there",
    caseId: "delete/removed-keys-only",
    says: /deeply equal|deep-equal/,
    spoil: ({ store }) => ({
      delete: async (selector, options) => {
        const removed = await store.delete(selector, options);
        return "keys" in selector ? [...selector.keys] : removed;
      },
    }),
  },
  {
    fault: "capabilities can be changed",
    caseId: "lifecycle/capabilities-are-frozen",
    says: /capabilities must be frozen/,
    spoil: ({ store }) => ({ capabilities: { ...store.capabilities } }),
  },
];

/** Claims and commits that reach the backend under other names than they were given. */
function renaming(store: OffsetStore, rename: (name: string) => string): Partial<OffsetStore> {
  const renamed = <Entry extends { readonly key: OffsetKey }>(entry: Entry): Entry => ({
    ...entry,
    key: { ...entry.key, consumer: rename(entry.key.consumer), topic: rename(entry.key.topic) },
  });
  return {
    claim: async (entries) => {
      const outcomes: ClaimOutcome[] = [];
      for (const entry of entries) outcomes.push(...(await store.claim([renamed(entry)])));
      return outcomes;
    },
    commit: async (entries) => (await Promise.all(entries.map((entry) => store.commit([renamed(entry)])))).flat(),
  };
}
