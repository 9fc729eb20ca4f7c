import { type OffsetKey, OffsetStoreError } from "@tidemark/core";
import type { Spoiling } from "./broken-store.ts";
import { type Exhibit, turn } from "./exhibit.ts";

/** Faults of what cannot be read, is not answered, or is given up. */
export const galleryOfFailures: readonly Exhibit[] = [
  {
    fault: "a reset writes over a corrupt record",
    caseId: "failure/corrupt-is-not-overwritten",
    says: /a reset must not overwrite/,
    spoil: ({ store }) => ({
      reset: async (entries, options) => {
        await store.delete({ keys: entries.map(({ key }) => key) });
        return store.reset(entries, options);
      },
    }),
  },
  {
    fault: "expire answers absent for a corrupt record",
    caseId: "failure/corrupt-is-not-overwritten",
    says: /a new ttl must not overwrite/,
    spoil: ({ store }) => ({
      expire: async (entries, options) =>
        (await store.expire(entries, options)).map((outcome) =>
          outcome.status === "failed" ? { status: "absent" } : outcome,
        ),
    }),
  },
  {
    fault: "a sweep removes what cannot be read",
    caseId: "failure/corrupt-is-not-overwritten",
    says: /a sweep (returned|removed)/,
    spoil: ({ store }) => ({
      delete: async (selector, options) => {
        if (!("expired" in selector)) return store.delete(selector, options);
        const removed = [...(await store.delete(selector, options))];
        await listed(store, (key) => removed.push(key));
        return store.delete({ keys: removed });
      },
    }),
  },
  {
    fault: "one record that cannot be read fails its whole batch",
    caseId: "failure/corrupt-fails-alone",
    says: /an unreadable record must differ from an absent one/,
    spoil: ({ store }) => ({
      fetch: async (keys, options) => {
        const outcomes = await store.fetch(keys, options);
        const failed = outcomes.find(({ status }) => status === "failed");
        return failed === undefined ? outcomes : keys.map(() => failed);
      },
    }),
  },
  {
    fault: "a listing ends in silence where it cannot read on",
    caseId: "failure/list-names-the-unreadable",
    says: /Missing expected rejection/,
    spoil: ({ store }) => ({
      list: async function* (...asked) {
        try {
          yield* store.list(...asked);
        } catch (error) {
          if (!(error instanceof OffsetStoreError) || error.code !== "CORRUPT_RECORD") throw error;
        }
      },
    }),
  },
  {
    fault: "a read error is answered with absent",
    caseId: "failure/read-error",
    says: /fetch of a record that the backend fails to give/,
    surroundings: "durable",
    spoil: ({ store }) => ({
      fetch: async (...asked) =>
        (await store.fetch(...asked)).map((outcome) => (isUnknown(outcome) ? { status: "absent" } : outcome)),
    }),
  },
  {
    fault: "a reset begins again where a read error was",
    caseId: "failure/read-error",
    says: /reset of a record that the backend fails to give/,
    surroundings: "durable",
    spoil: ({ store }) => ({
      reset: async (...asked) =>
        (await store.reset(...asked)).map((outcome) => (isUnknown(outcome) ? { status: "reset" } : outcome)),
    }),
  },
  {
    fault: "a listing ends in silence at a read error",
    caseId: "failure/read-error",
    says: /a listing left out what the backend fails to give/,
    surroundings: "durable",
    spoil: ({ store }) => ({
      list: async function* (...asked) {
        try {
          yield* store.list(...asked);
        } catch (error) {
          if (!(error instanceof OffsetStoreError) || error.code !== "UNKNOWN") throw error;
        }
      },
    }),
  },
  {
    fault: "a call without an answer is repeated forever",
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
    says: /a part of \d+ commits was written/,
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
    fault: "an error has an unknown code",
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

/** Whether an entry failed with what is neither an outage nor a record that is corrupt. */
function isUnknown(outcome: { readonly status: string; readonly error?: OffsetStoreError }): boolean {
  return outcome.status === "failed" && outcome.error?.code === "UNKNOWN";
}

/** Reads a listing to its end, and gives the keys of what cannot be read. */
async function listed(store: Spoiling["store"], found: (key: OffsetKey) => void): Promise<void> {
  try {
    for await (const _ of store.list()) continue;
  } catch (error) {
    if (error instanceof OffsetStoreError) error.keys.forEach(found);
  }
}
