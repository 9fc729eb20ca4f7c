import {
  type ClaimEntry,
  type ClaimOutcome,
  formatKey,
  type OffsetKey,
  type OffsetRecord,
  type OffsetStore,
} from "@tidemark/core";
import type { Fault } from "./broken-store.ts";
import { type Exhibit, keysOf, remembering, showing, turn } from "./exhibit.ts";

/** Faults that a backend's own habits bring with them: patterns, collations, columns, statements. */
export const galleryOfBackends: readonly Exhibit[] = [
  {
    fault: "a listing takes its filter for a pattern",
    caseId: "list/exact-filters",
    says: /"consumer":"c_"/,
    spoil: listingWhere((wanted, name) => {
      const pattern = wanted.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
      return new RegExp(`^${pattern.replaceAll("_", ".").replaceAll("%", ".*")}$`, "s").test(name);
    }),
  },
  {
    fault: "a filter is compared without regard to case",
    caseId: "list/exact-filters",
    says: /"T1"|"C1"/,
    spoil: listingWhere((wanted, name) => wanted.toLowerCase() === name.toLowerCase()),
  },
  {
    fault: "names that differ in blanks at their end meet",
    caseId: "names/odd-topics",
    says: /names met|is absent/,
    spoil: collating((name) => name.trimEnd() || name),
  },
  {
    fault: "names that differ in accents meet",
    caseId: "names/odd-consumers",
    says: /names met|is absent/,
    spoil: collating((name) => name.normalize("NFD").replaceAll(/(?<=[a-z])[\u0300-\u036f]/g, "")),
  },
  {
    fault: "expire reads, then writes the record back",
    caseId: "race/expire-among-commits",
    says: /went back/,
    spoil: ({ store, shared }) => ({
      ...remembering(store, shared),
      expire: async (entries, options) => {
        const before = await store.fetch(keysOf(entries));
        await turn();
        const outcomes = await store.expire(entries, options);
        for (const outcome of before) if (outcome.status === "found") await putBack(store, shared, outcome.record);
        return outcomes;
      },
    }),
  },
  {
    fault: "a reset without metadata keeps what was there",
    caseId: "reset/backwards-fences",
    says: /by hand/,
    spoil: ({ store }) => ({
      reset: async (entries, options) => {
        const before = await store.fetch(keysOf(entries));
        const kept = entries.map((entry, index) => {
          const outcome = before[index];
          const metadata = outcome?.status === "found" ? outcome.record.metadata : "";
          return { ...entry, metadata: entry.metadata ?? metadata };
        });
        return store.reset(kept, options);
      },
    }),
  },
  {
    fault: "times are kept in whole seconds, and said to be exact",
    caseId: "ttl/step-of-the-clock",
    says: /12 times are multiples of 1000 ms/,
    spoil: showing((record) => {
      const times = (["claimedAt", "committedAt", "expiresAt"] as const).flatMap((field) => {
        const time = record[field];
        return time === undefined ? [] : [[field, new Date(Math.floor(time.getTime() / 1_000) * 1_000)]];
      });
      return { ...record, ...Object.fromEntries(times) };
    }),
  },
  {
    fault: "a ttl is kept in whole seconds",
    caseId: "ttl/very-long",
    says: /1576800001000/,
    spoil: ({ store }) => {
      const rounded = <Entry extends { readonly ttl?: number | null | undefined }>(entry: Entry): Entry =>
        typeof entry.ttl === "number" ? { ...entry, ttl: Math.ceil(entry.ttl / 1_000) * 1_000 } : entry;
      return { claim: (entries, options) => store.claim(entries.map(rounded), options) };
    },
  },
  {
    fault: "a delete by consumer looks at no partition",
    caseId: "delete/selectors",
    says: /"consumer":"c3","partition":1/,
    spoil: ({ store }) => ({
      delete: (selector, options) =>
        "consumer" in selector && selector.consumer !== undefined && selector.topic === undefined
          ? store.delete({ consumer: selector.consumer }, options)
          : store.delete(selector, options),
    }),
  },
  {
    fault: "a namespace holds all that begin like it",
    caseId: "delete/near-namespaces",
    says: /meet/,
    spoil: ({ store, namespaces }) => ({
      list: async function* (...asked) {
        for (const [name, other] of namespaces) if (name.startsWith(store.namespace)) yield* other.list(...asked);
      },
    }),
  },
  {
    fault: "namespaces that differ in a blank at their end meet",
    caseId: "delete/near-namespaces",
    says: /meet/,
    spoil: ({ store, namespaces }) => ({
      fetch: (keys, options) => (namespaces.get(store.namespace.trimEnd()) ?? store).fetch(keys, options),
    }),
  },
  {
    fault: "namespaces are compared without regard to case",
    caseId: "delete/near-namespaces",
    says: /meet/,
    spoil: ({ store, namespaces }) => ({
      fetch: async (keys, options) => {
        const own = await store.fetch(keys, options);
        for (const [name, other] of namespaces) {
          if (name.toLowerCase() !== store.namespace.toLowerCase() || name === store.namespace) continue;
          const found = await other.fetch(keys, options);
          return own.map((outcome, index) => (outcome.status === "found" ? outcome : (found[index] ?? outcome)));
        }
        return own;
      },
    }),
  },
];

/** A listing whose filter matches in the backend's way. */
function listingWhere(matches: (wanted: string, name: string) => boolean): Fault {
  return ({ store }) => ({
    list: async function* ({ consumer, topic, partition } = {}, options = {}) {
      for await (const record of store.list({ ...(partition !== undefined && { partition }) }, options)) {
        if (consumer !== undefined && !matches(consumer, record.consumer)) continue;
        if (topic === undefined || matches(topic, record.topic)) yield record;
      }
    },
  });
}

/** A backend that takes two names for one, and shows the one that was there first. */
function collating(fold: (name: string) => string): Fault {
  return ({ store, shared }) => {
    const first = (name: string): string => {
      const mark = `folded ${fold(name)}`;
      if (!shared.has(mark)) shared.set(mark, name);
      return String(shared.get(mark));
    };
    const folded = ({ consumer, topic, partition }: OffsetKey): OffsetKey => ({
      consumer: first(consumer),
      topic: first(topic),
      partition,
    });
    return {
      claim: async (entries) => {
        const outcomes: ClaimOutcome[] = [];
        for (const entry of entries) outcomes.push(...(await store.claim([{ ...entry, key: folded(entry.key) }])));
        return outcomes;
      },
      commit: async (entries) =>
        (await Promise.all(entries.map((entry) => store.commit([{ ...entry, key: folded(entry.key) }])))).flat(),
    };
  };
}

/** Writes the position that was read, over whatever was committed since. */
async function putBack(store: OffsetStore, shared: Map<string, unknown>, record: OffsetRecord): Promise<void> {
  const { consumer, topic, partition, nextOffset, metadata } = record;
  const key = { consumer, topic, partition };
  const claimed = shared.get(formatKey(key)) as ClaimEntry | undefined;
  const [now] = await store.fetch([key]);
  if (claimed === undefined || nextOffset === undefined || now?.status !== "found") return;
  if (now.record.nextOffset === nextOffset) return;
  await store.commit([{ key, token: claimed.token, nextOffset, metadata, rewind: true }]);
}
