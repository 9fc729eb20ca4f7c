import { formatKey, type CommitEntry, type OffsetKey, type OffsetRecord, type OffsetStore } from "@tidemark/core";
import type { Fault } from "./broken-store.ts";

/** A broken store, and the case that must name its fault. */
export interface Exhibit {
  readonly fault: string;
  readonly caseId: string;
  /** What the failure must say. */
  readonly says: RegExp;
  readonly spoil: Fault;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Changes every entry of a commit in the light of what is stored. */
function committing(change: (entry: CommitEntry, stored: OffsetRecord | undefined) => CommitEntry): Fault {
  return ({ store }) => ({
    commit: async (entries, options) => {
      const found = await store.fetch(entries.map(({ key }) => key));
      const changed = entries.map((entry, index) => {
        const outcome = found[index];
        return change(entry, outcome?.status === "found" ? outcome.record : undefined);
      });
      return store.commit(changed, options);
    },
  });
}

/** Remembers the keys that were ever claimed, with the last token. */
function remembering(store: OffsetStore, shared: Map<string, unknown>): Pick<OffsetStore, "claim"> {
  return {
    claim: (entries, options) => {
      for (const entry of entries) shared.set(formatKey(entry.key), entry);
      return store.claim(entries, options);
    },
  };
}

const known = (shared: Map<string, unknown>): CommitEntry[] => [...shared.values()] as CommitEntry[];
const keysOf = (entries: readonly { readonly key: OffsetKey }[]): OffsetKey[] => entries.map(({ key }) => key);

/** One fault each that people have built into such stores. */
export const gallery: readonly Exhibit[] = [
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
      ...(entry.nextOffset !== undefined && { rewindFrom: stored?.nextOffset }),
    })),
  },
  {
    fault: "rewindFrom is obeyed whatever it says",
    caseId: "rewind/mismatched",
    says: /went back with rewindFrom 99/,
    spoil: committing((entry, stored) => ({
      ...entry,
      ...(entry.rewindFrom !== undefined && { rewindFrom: stored?.nextOffset }),
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
  {
    fault: "delete matches by prefix",
    caseId: "names/delete-leaves-the-others",
    says: /delete\(\{ topic: "topic1" \}\)/,
    spoil: ({ store }) => ({
      delete: async (selector, options) => {
        if (!("topic" in selector) || selector.topic === undefined) return store.delete(selector, options);
        const keys: OffsetKey[] = [];
        for await (const record of store.list()) if (record.topic.startsWith(selector.topic)) keys.push(record);
        return store.delete({ keys });
      },
    }),
  },
  {
    fault: "keys meet when joined by a separator",
    caseId: "names/no-collision-when-joined",
    says: /names met/,
    spoil: ({ store }) => {
      const joined = <Entry extends { readonly key: OffsetKey }>(entry: Entry): Entry => {
        const { consumer, topic, partition } = entry.key;
        return { ...entry, key: { consumer: `${consumer}:${topic}`, topic: "-", partition } };
      };
      return {
        claim: async (entries) => {
          for (const entry of entries) await store.claim([joined(entry)]);
          return entries.map(() => ({ status: "claimed", record: undefined }));
        },
        commit: async (entries) => (await Promise.all(entries.map((entry) => store.commit([joined(entry)])))).flat(),
      };
    },
  },
  {
    fault: "positions pass through a double",
    caseId: "int64/round-trip",
    says: /9007199254740993n/,
    spoil: committing((entry) => {
      if (entry.nextOffset === undefined) return entry;
      const rounded = BigInt(Number(entry.nextOffset));
      return { ...entry, nextOffset: rounded < 2n ** 63n ? rounded : 2n ** 63n - 1n };
    }),
  },
  {
    fault: "positions are compared as text",
    caseId: "int64/compared-as-numbers",
    says: /behind/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const [outcome] = await store.fetch(keysOf(entries));
        const [entry] = entries;
        const stored = outcome?.status === "found" ? outcome.record.nextOffset : undefined;
        const behind = stored !== undefined && entry?.nextOffset !== undefined && `${entry.nextOffset}` < `${stored}`;
        return behind && outcome?.status === "found"
          ? [{ status: "behind", record: outcome.record }]
          : store.commit(entries, options);
      },
    }),
  },
  {
    fault: "a corrupt record is read as absent",
    caseId: "failure/corrupt-fails-alone",
    says: /an unreadable record must be told from an absent one/,
    spoil: ({ store, shared }) => ({
      fetch: async (keys, options) => {
        const outcomes = await store.fetch(keys, options);
        return outcomes.map((outcome, index) =>
          shared.has(`corrupt ${JSON.stringify(keys[index])}`) ? { status: "absent" } : outcome,
        );
      },
    }),
  },
  {
    fault: "answers come in the backend's order",
    caseId: "commit/batch-order",
    says: /was answered with absent|deeply equal|deep-equal/,
    spoil: ({ store }) => ({ fetch: async (keys, options) => (await store.fetch(keys, options)).toReversed() }),
  },
  {
    fault: "a reset does not fence",
    caseId: "reset/backwards-fences",
    says: /nobody holds the claim/,
    spoil: ({ store, shared }) => ({
      ...remembering(store, shared),
      reset: async (entries, options) => {
        const outcomes = await store.reset(entries, options);
        const held = entries.flatMap(({ key }) =>
          known(shared).filter((entry) => formatKey(entry.key) === formatKey(key)),
        );
        await store.claim(held.map(({ key, token }) => ({ key, token, owner: "running" })));
        return outcomes;
      },
    }),
  },
  {
    fault: "a claim loses the position",
    caseId: "claim/keeps-position",
    says: /41n/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => {
        const found = await store.fetch(keysOf(entries));
        await store.delete({ keys: keysOf(entries) });
        await store.claim(entries, options);
        return found.map((outcome) => ({
          status: "claimed",
          record: outcome.status === "found" ? outcome.record : undefined,
        }));
      },
    }),
  },
  {
    fault: "the first claim wins",
    caseId: "claim/newest-wins",
    says: /committed/,
    spoil: ({ store }) => ({
      claim: async (entries, options) => {
        const outcomes = await store.fetch(keysOf(entries));
        await store.claim(
          entries.filter((_, index) => outcomes[index]?.status !== "found"),
          options,
        );
        return outcomes.map((outcome) => ({
          status: "claimed",
          record: outcome.status === "found" ? outcome.record : undefined,
        }));
      },
    }),
  },
  {
    fault: "metadata is cut",
    caseId: "commit/metadata-round-trip",
    says: /xxx/,
    spoil: committing((entry) => ({
      ...entry,
      ...(entry.metadata !== undefined && { metadata: entry.metadata.slice(0, 1_000) }),
    })),
  },
  {
    fault: "the token is shown",
    caseId: "fence/token-never-shown",
    says: /a token is shown/,
    spoil: ({ store, shared }) => ({
      ...remembering(store, shared),
      fetch: async (keys, options) =>
        (await store.fetch(keys, options)).map((outcome) =>
          outcome.status === "found"
            ? { status: "found", record: { ...outcome.record, ...known(shared)[0] } }
            : outcome,
        ),
    }),
  },
  {
    fault: "a listing repeats a record on its second page",
    caseId: "list/many",
    says: /deeply equal|deep-equal/,
    spoil: ({ store }) => ({
      list: async function* (filter, options) {
        let count = 0;
        for await (const record of store.list(filter, options)) {
          yield record;
          if ((count += 1) % 1_000 === 0) yield record;
        }
      },
    }),
  },
  {
    fault: "a signal is ignored",
    caseId: "lifecycle/pre-aborted",
    says: /did not reject with signal.reason|Missing expected rejection/,
    spoil: ({ store }) => ({ claim: (entries) => store.claim(entries) }),
  },
  {
    fault: "a transaction is ignored",
    caseId: "transaction/commits-with-it",
    says: /Missing expected rejection/,
    spoil: ({ store }) => ({ commit: (entries) => store.commit(entries) }),
  },
];
