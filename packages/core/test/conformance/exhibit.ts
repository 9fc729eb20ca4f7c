import { formatKey, type CommitEntry, type OffsetKey, type OffsetRecord, type OffsetStore } from "@tidemark/core";
import type { Fault, Surroundings } from "./broken-store.ts";

/** A broken store, and the case that must name its fault. */
export interface Exhibit {
  readonly fault: string;
  readonly caseId: string;
  /** What the failure must say. */
  readonly says: RegExp;
  readonly spoil: Fault;
  /** What kind of store has the fault. Default: one in memory, as it is. */
  readonly surroundings?: Surroundings;
}

/** Lets one piece of work end before the next begins, of all clients that share something. */
export function inTurn<Result>(shared: Map<string, unknown>, work: () => Promise<Result>): Promise<Result> {
  const before = (shared.get("turn") as Promise<unknown> | undefined) ?? Promise.resolve();
  const mine = before.then(work, work);
  shared.set("turn", mine);
  return mine;
}

/** Lets others run. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A renewal: what an entry is without its position and all that goes with it. */
export function withoutPosition({ key, token, epoch, ttl, recreate, owner }: CommitEntry): CommitEntry {
  return { key, token, epoch, ttl, recreate, owner };
}

/** Changes every entry of a commit in the light of what is stored. */
export function committing(change: (entry: CommitEntry, stored: OffsetRecord | undefined) => CommitEntry): Fault {
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

/** Shows every record otherwise than it is. */
export function showing(change: (record: OffsetRecord) => OffsetRecord): Fault {
  const shown = <Outcome extends object>(outcome: Outcome): Outcome =>
    "record" in outcome && outcome.record !== undefined
      ? { ...outcome, record: change(outcome.record as OffsetRecord) }
      : outcome;
  return ({ store }) => ({
    claim: async (...asked) => (await store.claim(...asked)).map(shown),
    commit: async (...asked) => (await store.commit(...asked)).map(shown),
    fetch: async (...asked) => (await store.fetch(...asked)).map(shown),
    list: async function* (...asked) {
      for await (const record of store.list(...asked)) yield change(record);
    },
  });
}

/** Remembers the keys that were ever claimed, with the last token. */
export function remembering(store: OffsetStore, shared: Map<string, unknown>): Pick<OffsetStore, "claim"> {
  return {
    claim: (entries, options) => {
      for (const entry of entries) shared.set(formatKey(entry.key), entry);
      return store.claim(entries, options);
    },
  };
}

/** The entries that were remembered. */
export const known = (shared: Map<string, unknown>): CommitEntry[] => [...shared.values()] as CommitEntry[];
/** The keys of entries. */
export const keysOf = (entries: readonly { readonly key: OffsetKey }[]): OffsetKey[] => entries.map(({ key }) => key);
