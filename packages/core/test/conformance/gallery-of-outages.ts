import { type OffsetRecord, OffsetStoreError } from "@tidemark/core";
import type { Exhibit } from "./exhibit.ts";

/** How many connections a client usually has. */
const POOL = 10;
/** Those that the case race/cost commits. */
const OWN_RECORDS = 200;

/** Faults of stores on a server that is cut off, or does not answer. */
export const galleryOfOutages: readonly Exhibit[] = [
  {
    fault: "a delete that gets no answer has deleted nothing",
    caseId: "failure/outage",
    says: /delete .* was answered although the store cannot be reached/,
    surroundings: "remote",
    spoil: ({ store }) => ({ delete: (...asked) => store.delete(...asked).catch(() => []) }),
  },
  {
    fault: "what was on a disk that is gone is deleted",
    caseId: "failure/outage",
    says: /delete by keys was answered although the store cannot be reached/,
    surroundings: "durable",
    spoil: ({ store }) => ({
      delete: (selector, options) =>
        store.delete(selector, options).catch((error: unknown) => {
          const isGone = error instanceof OffsetStoreError && ["UNAVAILABLE", "TIMEOUT"].includes(error.code);
          if (isGone && "keys" in selector) return [...selector.keys];
          throw error;
        }),
    }),
  },
  {
    fault: "a listing whose connection breaks is complete",
    caseId: "failure/listing-cut-off",
    says: /ended after \d+ of 2500 records/,
    surroundings: "remote",
    spoil: ({ store }) => ({
      list: async function* (...asked): AsyncGenerator<OffsetRecord> {
        let isBegun = false;
        try {
          for await (const record of store.list(...asked)) {
            isBegun = true;
            yield record;
          }
        } catch (error) {
          if (!isBegun) throw error;
        }
      },
    }),
  },
  {
    fault: "a client that is back claims again by itself",
    caseId: "failure/holder-cut-off",
    says: /commits over its successor/,
    surroundings: "remote",
    spoil: ({ store }) => {
      let wasCutOff = false;
      return {
        commit: async (entries, options) => {
          try {
            if (wasCutOff) await store.claim(entries.map(({ key, token }) => ({ key, token, owner: "older" })));
            wasCutOff = false;
            return await store.commit(entries, options);
          } catch (error) {
            wasCutOff = true;
            throw error;
          }
        },
      };
    },
  },
  {
    fault: "a call that times out keeps its connection",
    caseId: "failure/silence",
    says: /no connection is free/,
    surroundings: "remote",
    spoil: ({ store }) => {
      let free = POOL;
      return {
        fetch: (keys, options) =>
          store.fetch(keys, options).catch((error: unknown) => {
            if (error instanceof OffsetStoreError && error.code === "TIMEOUT") free -= 1;
            throw error;
          }),
        commit: async (entries, options) => {
          if (free > 0) return store.commit(entries, options);
          throw new OffsetStoreError("no connection is free", {
            ...{ code: "TIMEOUT", operation: "commit", store: store.name },
          });
        },
      };
    },
  },
  {
    fault: "a commit looks through all records",
    caseId: "race/cost",
    says: /is there an index over the whole key/,
    spoil: ({ store }) => ({
      commit: async (entries, options) => {
        const records = await Array.fromAsync(store.list());
        // As a backend takes that reads each: nothing among none, and among many far more than what a busy machine adds to the commit.
        await new Promise((resolve) => setTimeout(resolve, Math.max(0, records.length - OWN_RECORDS) / 20));
        return store.commit(entries, options);
      },
    }),
  },
];
