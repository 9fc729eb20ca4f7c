import { formatKey } from "@tidemark/core";
import { committing, type Exhibit, keysOf, known, remembering, turn } from "./exhibit.ts";

/** Faults of claims, commits and expiry. */
export const galleryOfClaims: readonly Exhibit[] = [
  {
    fault: "the fence is ignored",
    caseId: "fence/superseded",
    says: /committed/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        await store.claim(entries.map(({ key, token }) => ({ key, token, owner: "anybody" })));
        return store.commit(entries, options);
      },
    }),
  },
  {
    fault: "a zombie's late commit lands",
    caseId: "fence/zombie",
    says: /committed/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        await store.claim(entries.map(({ key, token }) => ({ key, token, owner: "anybody" })));
        return store.commit(entries, options);
      },
    }),
  },
  {
    fault: "positions go back",
    caseId: "commit/behind",
    says: /behind/,
    spoil: committing((entry, stored) => ({
      ...entry,
      ...(entry.nextOffset !== undefined && { rewind: entry.nextOffset < (stored?.nextOffset ?? 0n) }),
    })),
  },
  {
    fault: "the same position is refused",
    caseId: "commit/same-position",
    says: /behind/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const found = await store.fetch(keysOf(entries));
        const outcomes = await store.commit(entries, options);
        return outcomes.map((outcome, index) => {
          const before = found[index];
          const same = before?.status === "found" && before.record.nextOffset === entries[index]?.nextOffset;
          return same ? { status: "behind", record: before.record } : outcome;
        });
      },
    }),
  },
  {
    fault: "fetch ignores expiry",
    caseId: "expiry/fetch",
    says: /absent to fetch/,
    spoil: ({ timeless }) => ({ fetch: timeless.fetch }),
  },
  {
    fault: "list ignores expiry",
    caseId: "expiry/list",
    says: /deeply equal|deep-equal/,
    spoil: ({ store, timeless, shared }) => ({
      ...remembering(store, shared),
      list: async function* () {
        const outcomes = await timeless.fetch(keysOf(known(shared)));
        for (const outcome of outcomes) if (outcome.status === "found") yield outcome.record;
      },
    }),
  },
  {
    fault: "commit ignores expiry",
    caseId: "expiry/commit-absent",
    says: /committed/,
    spoil: ({ timeless }) => ({ commit: timeless.commit }),
  },
  {
    fault: "claim ignores expiry",
    caseId: "expiry/claim-starts-empty",
    says: /50n|undefined/,
    spoil: ({ timeless }) => ({ claim: timeless.claim }),
  },
  {
    fault: "expire brings back what has expired",
    caseId: "expiry/expire-absent",
    says: /set/,
    spoil: ({ timeless }) => ({ expire: timeless.expire }),
  },
  {
    fault: "a renewal renews nothing",
    caseId: "expiry/renewed-by-renewal",
    says: /went away although it was renewed/,
    spoil: ({ store, shared }) => ({
      commit: async (entries, options) => {
        const [entry] = entries;
        if (entry === undefined || entry.nextOffset !== undefined || entries.length !== 1)
          return store.commit(entries, options);
        const name = `renewed ${formatKey(entry.key)}`;
        if (shared.has(name)) return [{ status: "committed" }];
        shared.set(name, true);
        return store.commit(entries, options);
      },
    }),
  },
  {
    fault: "a commit without ttl removes it",
    caseId: "ttl/omitted-keeps-null-removes",
    says: /if and only if|keeps it|3600000/,
    spoil: committing((entry) => ({ ...entry, ttl: entry.ttl ?? null })),
  },
  {
    fault: "expire fences the session",
    caseId: "ttl/expire-keeps-the-claim",
    says: /deeply equal|deep-equal|fenced/,
    spoil: ({ store }) => ({
      expire: async (entries, options) => {
        await store.claim(entries.map(({ key }) => ({ key, token: "operator", owner: "operator" })));
        return store.expire(entries, options);
      },
    }),
  },
  {
    fault: "the sweep looks first and removes later",
    caseId: "sweep/never-removes-a-claimed-one",
    says: /absent/,
    spoil: ({ store, shared }) => ({
      ...remembering(store, shared),
      delete: async (selector, options) => {
        if (!("expired" in selector)) return store.delete(selector, options);
        const keys = keysOf(known(shared));
        const outcomes = await store.fetch(keys);
        await turn();
        return store.delete({ keys: keys.filter((_, index) => outcomes[index]?.status === "absent") });
      },
    }),
  },
  {
    fault: "recreate overwrites a living record",
    caseId: "recreate/living-record",
    says: /committed/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        await store.delete({ keys: keysOf(entries.filter(({ recreate }) => recreate === true)) });
        return store.commit(entries, options);
      },
    }),
  },
  {
    fault: "recreate reads, then writes without a condition",
    caseId: "recreate/race",
    says: /commits recreated the same record/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const found = await store.fetch(keysOf(entries));
        await turn();
        const absent = entries.filter((entry, index) => entry.recreate === true && found[index]?.status === "absent");
        await store.delete({ keys: keysOf(absent) });
        return store.commit(entries, options);
      },
    }),
  },
];
