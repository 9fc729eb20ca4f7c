import {
  type ClaimOutcome,
  type CommitOutcome,
  type ExpireOutcome,
  type FetchOutcome,
  type OffsetKey,
} from "@tidemark/core";
import { type OffsetStore, OffsetStoreError, type ResetOutcome } from "@tidemark/core";
import type { Spoiling } from "./broken-store.ts";
import { type Exhibit, turn } from "./exhibit.ts";

/** Faults of what cannot be read, is not answered, or is given up. */
export const galleryOfFailures: readonly Exhibit[] = [
  {
    fault: "a reset writes over a corrupt record",
    caseId: "failure/corrupt-is-not-overwritten",
    says: /a reset must not overwrite/,
    spoil: (spoiling) => ({
      ...heedingCorrupt(spoiling),
      reset: async (entries, options) => {
        for (const { key } of entries) spoiling.shared.delete(markOf(key));
        return spoiling.store.reset(entries, options);
      },
    }),
  },
  {
    fault: "expire answers absent for a corrupt record",
    caseId: "failure/corrupt-is-not-overwritten",
    says: /a new ttl must not overwrite/,
    spoil: (spoiling) => ({
      ...heedingCorrupt(spoiling),
      expire: async (entries, options) =>
        (await spoiling.store.expire(entries, options)).map((outcome, index) =>
          spoiling.shared.has(markOf(entries[index]?.key)) ? { status: "absent" } : outcome,
        ),
    }),
  },
  {
    fault: "a sweep removes what cannot be read",
    caseId: "failure/corrupt-is-not-overwritten",
    says: /a sweep (tells of|removed)/,
    spoil: (spoiling) => {
      const heeding = heedingCorrupt(spoiling);
      return {
        ...heeding,
        delete: async (selector, options) => {
          if ("expired" in selector) spoiling.shared.clear();
          return heeding.delete?.(selector, options) ?? [];
        },
      };
    },
  },
  {
    fault: "one record that cannot be read fails its whole batch",
    caseId: "failure/corrupt-fails-alone",
    says: /an unreadable record must be told from an absent one/,
    spoil: (spoiling) => {
      const heeding = heedingCorrupt(spoiling);
      return {
        ...heeding,
        fetch: async (keys, options) => {
          const outcomes = (await heeding.fetch?.(keys, options)) ?? [];
          const failed = outcomes.find(({ status }) => status === "failed");
          return failed === undefined ? outcomes : keys.map(() => failed);
        },
      };
    },
  },
  {
    fault: "a listing ends in silence where it cannot read on",
    caseId: "failure/list-names-the-unreadable",
    says: /Missing expected rejection/,
    spoil: (spoiling) => ({
      ...heedingCorrupt(spoiling),
      list: async function* (...asked) {
        for await (const record of spoiling.store.list(...asked)) {
          const { consumer, topic, partition } = record;
          if (!spoiling.shared.has(markOf({ consumer, topic, partition }))) yield record;
        }
      },
    }),
  },
  {
    fault: "a call that nobody answers is made again for ever",
    caseId: "failure/silence",
    says: /a call hangs/,
    surroundings: "remote",
    spoil: ({ store }) => ({
      expire: (entries, options) =>
        store.expire(entries, options).catch((error: unknown) => {
          if (error instanceof OffsetStoreError && error.code === "TIMEOUT") return new Promise(() => undefined);
          throw error;
        }),
    }),
  },
  {
    fault: "a batch that is given up stays half written, and is said to be atomic",
    caseId: "batch/given-up-halfway",
    says: /a part of a batch was written/,
    spoil: ({ store }) => ({
      commit: async (entries, options = {}) => {
        const { signal } = options;
        if (signal === undefined) return store.commit(entries);
        const half = entries.length / 2;
        const first = await store.commit(entries.slice(0, half));
        await turn();
        signal.throwIfAborted();
        return [...first, ...(await store.commit(entries.slice(half)))];
      },
    }),
  },
  {
    fault: "an error has a code that nobody knows",
    caseId: "error/of-the-store",
    says: /"GONE" is none of/,
    spoil: ({ store }) => ({
      expire: (...given) =>
        store.expire(...given).catch((error: unknown) => {
          if (!(error instanceof OffsetStoreError) || error.code !== "CLOSED") throw error;
          const { operation, keys } = error;
          throw new OffsetStoreError(error.message, { code: "GONE" as "CLOSED", operation, store: store.name, keys });
        }),
    }),
  },
  {
    fault: "an error of one operation names another",
    caseId: "error/tells-what-it-is-about",
    says: /reset: the error names another operation/,
    spoil: ({ store }) => ({
      reset: (...given) =>
        store.reset(...given).catch((error: unknown) => {
          if (!(error instanceof OffsetStoreError)) throw error;
          const { code, keys } = error;
          throw new OffsetStoreError(error.message, { code, operation: "commit", store: store.name, keys });
        }),
    }),
  },
];

function markOf(key: OffsetKey | undefined): string {
  return `corrupt ${JSON.stringify(key)}`;
}

/** Verbs that answer as they should where the kit has damaged a record. */
function heedingCorrupt({ store, shared }: Spoiling): Partial<OffsetStore> {
  const failing = <Outcome extends { readonly status: string }>(
    operation: "claim" | "commit" | "fetch" | "reset" | "expire",
    keys: readonly OffsetKey[],
    outcomes: readonly Outcome[],
  ) => {
    const answers = outcomes.values();
    return keys.map((key) => {
      if (!shared.has(markOf(key))) return answers.next().value as Outcome;
      const message = `memory store: the record of ${JSON.stringify(key)} cannot be read; delete the key`;
      const error = new OffsetStoreError(message, { code: "CORRUPT_RECORD", operation, store: "memory", keys: [key] });
      return { status: "failed" as const, error };
    });
  };
  const readable = <Entry extends { readonly key: OffsetKey }>(entries: readonly Entry[]): readonly Entry[] =>
    entries.filter(({ key }) => !shared.has(markOf(key)));
  const keysOf = (entries: readonly { readonly key: OffsetKey }[]): OffsetKey[] => entries.map(({ key }) => key);
  return {
    claim: async (entries, options) =>
      failing<ClaimOutcome>("claim", keysOf(entries), await store.claim(readable(entries), options)),
    commit: async (entries, options) =>
      failing<CommitOutcome>("commit", keysOf(entries), await store.commit(readable(entries), options)),
    fetch: async (keys, options) => {
      const asked = keys.filter((key) => !shared.has(markOf(key)));
      return failing<FetchOutcome>("fetch", keys, await store.fetch(asked, options));
    },
    reset: async (entries, options) =>
      failing<ResetOutcome>("reset", keysOf(entries), await store.reset(readable(entries), options)),
    expire: async (entries, options) =>
      failing<ExpireOutcome>("expire", keysOf(entries), await store.expire(readable(entries), options)),
    delete: async (selector, options) => {
      if ("keys" in selector) for (const key of selector.keys) shared.delete(markOf(key));
      return store.delete(selector, options);
    },
  };
}
