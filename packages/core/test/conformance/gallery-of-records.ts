import { type ClaimedOutcome, type ClaimOutcome, type CommitOutcome, formatKey, type OffsetKey } from "@tidemark/core";
import { committing, type Exhibit, keysOf, known, remembering, turn } from "./exhibit.ts";

/** Faults in what is kept and shown. */
export const galleryOfRecords: readonly Exhibit[] = [
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
          const outcomes: ClaimOutcome[] = [];
          for (const entry of entries) outcomes.push(...(await store.claim([joined(entry)])));
          return outcomes;
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
    says: /an unreadable record must differ from an absent one/,
    spoil: ({ store }) => ({
      fetch: async (keys, options) =>
        (await store.fetch(keys, options)).map((outcome) =>
          outcome.status === "failed" ? { status: "absent" } : outcome,
        ),
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
    says: /the claim is still held/,
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
        const outcomes = await store.claim(entries, options);
        return found.map((outcome, index) => ({
          ...(outcomes[index] as ClaimedOutcome),
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
          epoch: outcome.status === "found" ? outcome.record.epoch : 1,
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
    fault: "metadata loses its carriage returns",
    caseId: "commit/metadata-round-trip",
    says: /\\r/,
    spoil: committing((entry) => ({
      ...entry,
      ...(entry.metadata !== undefined && { metadata: entry.metadata.replaceAll("\r\n", "\n") }),
    })),
  },
  {
    fault: "a page that is cut by its bytes is taken for the last",
    caseId: "list/large-records",
    says: /large records are missing: is a page cut by its bytes the last/,
    spoil: ({ store }) => ({
      list: async function* (...asked) {
        let left = 2 ** 20;
        for await (const record of store.list(...asked)) {
          left -= record.metadata.length;
          if (left < 0) return;
          yield record;
        }
      },
    }),
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
            ? { status: "found", record: { ...outcome.record, ...{ token: known(shared)[0]?.token } } }
            : outcome,
        ),
    }),
  },
  {
    fault: "a listing repeats a record on its second page",
    caseId: "list/many",
    says: /got \d+ entries instead of \d+/,
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
    fault: "a listing ignores its signal",
    caseId: "lifecycle/abort-while-listing",
    says: /did not reject with signal.reason|Missing expected rejection/,
    spoil: ({ store }) => ({ list: (filter) => store.list(filter) }),
  },
  {
    fault: "a delete ends after its first page",
    caseId: "delete/many",
    says: /got \d+ entries instead of \d+/,
    spoil: ({ store }) => ({
      delete: async (selector, options) => {
        if (!("topic" in selector)) return store.delete(selector, options);
        const page: OffsetKey[] = [];
        for await (const { consumer, topic, partition } of store.list(selector)) {
          if (page.push({ consumer, topic, partition }) === 1_000) break;
        }
        return store.delete({ keys: page }, options);
      },
    }),
  },
  {
    fault: "a batch is written entry by entry, and said to be atomic",
    caseId: "race/batch-is-seen-whole",
    says: /a fetch saw a part of \d+ commits/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const outcomes: CommitOutcome[] = [];
        for (const entry of entries) {
          outcomes.push(...(await store.commit([entry], options)));
          if (outcomes.length % 50 === 0) await turn();
        }
        return outcomes;
      },
    }),
  },
  {
    fault: "a transaction is ignored",
    caseId: "transaction/commits-with-it",
    says: /Missing expected rejection/,
    spoil: ({ store }) => ({ commit: (entries) => store.commit(entries) }),
  },
];
