import { formatKey, type OffsetKey, OffsetStoreError } from "@tidemark/core";
import { type Exhibit, keysOf } from "./exhibit.ts";

/** How many connections a client usually has. */
const POOL = 10;

/** Faults in what is left behind: locks and connections. */
export const galleryOfLeaks: readonly Exhibit[] = [
  {
    fault: "a call that is given up leaves its key locked",
    caseId: "lifecycle/abort-in-flight",
    says: /locked/,
    spoil: ({ store, shared }) => {
      const lockOf = (key: OffsetKey): string => `lock ${formatKey(key)}`;
      return {
        commit: (entries, options) => {
          options?.signal?.addEventListener("abort", () => {
            for (const { key } of entries) shared.set(lockOf(key), true);
          });
          refuse(
            entries.some(({ key }) => shared.has(lockOf(key))),
            "the row is locked",
            keysOf(entries),
          );
          return store.commit(entries, options);
        },
      };
    },
  },
  {
    fault: "a call that is given up keeps its connection",
    caseId: "lifecycle/abort-in-flight",
    says: /no connection is free/,
    spoil: ({ store }) => {
      let free = POOL;
      return {
        fetch: (keys, options) => {
          options?.signal?.addEventListener("abort", () => void (free -= 1));
          refuse(free <= 0, "no connection is free", keys);
          return store.fetch(keys, options);
        },
      };
    },
  },
  {
    fault: "a listing that is left keeps its connection",
    caseId: "list/left-early",
    says: /no connection is free/,
    spoil: ({ store }) => {
      let free = POOL;
      return {
        list: async function* (...asked) {
          refuse(free <= 0, "no connection is free", []);
          free -= 1;
          for await (const record of store.list(...asked)) yield record;
          // Not where the reader leaves.
          free += 1;
        },
      };
    },
  },
  {
    fault: "a call waits until its store's own listing has ended",
    caseId: "list/left-early",
    says: /the cursor is open/,
    spoil: ({ store }) => {
      let open = 0;
      return {
        list: async function* (...asked) {
          open += 1;
          try {
            yield* store.list(...asked);
          } finally {
            open -= 1;
          }
        },
        commit: (entries, options) => {
          refuse(open > 0, "the cursor is open", keysOf(entries));
          return store.commit(entries, options);
        },
      };
    },
  },
];

function refuse(refused: boolean, message: string, keys: readonly OffsetKey[]): void {
  if (!refused) return;
  throw new OffsetStoreError(message, { code: "TIMEOUT", operation: "commit", store: "memory", keys });
}
