import type { OffsetKey, StoreCapabilities } from "@tidemark/core";
import type { Change, ErrorClassification, OffsetStoreDriver, StoredEntry, WriteAnswer } from "@tidemark/core/driver";

/** An error that the tiny drivers take for one that may pass. */
export class PassingError extends Error {}

export const tinyCapabilities: StoreCapabilities = Object.freeze({
  atomicBatch: false,
  transactions: false,
  durability: "none",
  expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1 }),
  maxBatch: 3,
});

/** A driver over a map, of which a test replaces the verb that it is about. */
export interface TinyDriver<Transaction = never> extends OffsetStoreDriver<Transaction> {
  readonly entries: Map<string, StoredEntry>;
  /** The backend's clock. */
  now: number;
}

/** Makes a driver whose verbs work, unless they are replaced. */
export function tinyDriver<Transaction = never>(
  replaced: Partial<OffsetStoreDriver<Transaction>> = {},
): TinyDriver<Transaction> {
  const entries = new Map<string, StoredEntry>();
  const driver: TinyDriver<Transaction> = {
    name: "tiny",
    capabilities: tinyCapabilities,
    entries,
    now: 1_000,
    read: async (asked) => ({ now: driver.now, entries: asked.map((key) => entries.get(nameOf(key))) }),
    write: async (changes) => write(driver, changes),
    list: async function* ({ kind }) {
      const all = Array.from(entries, ([name, entry]) => ({ key: JSON.parse(name) as OffsetKey, entry }));
      yield { now: driver.now, entries: all.filter(({ key }) => "partition" in key === (kind === "position")) };
    },
    classify: (error): ErrorClassification =>
      error instanceof PassingError
        ? { code: "UNAVAILABLE", retryable: true, message: "the server is away; try again later" }
        : { code: "UNKNOWN", retryable: false, message: "see the cause" },
    close: async () => {},
    ...replaced,
  };
  return driver;
}

/** What the tiny driver's own write does, for tests that lose its answer or delay it. */
export function write(
  { entries, now: writtenAt }: Pick<TinyDriver, "entries" | "now">,
  changes: readonly Change[],
): WriteAnswer {
  const answers = changes.map(({ key, expected, value, version }) => {
    const name = nameOf(key);
    if (expected !== "any" && !expected.includes(entries.get(name)?.version ?? null)) return "conflict";
    if (value === undefined) entries.delete(name);
    else entries.set(name, { version, value, writtenAt });
    return "written";
  });
  return { writtenAt, changes: answers };
}

function nameOf(key: object): string {
  return JSON.stringify(key);
}

export function never(): Promise<never> {
  return new Promise(() => {});
}

export function keys(count: number): OffsetKey[] {
  return Array.from({ length: count }, (_, partition) => ({ consumer: "c", topic: "t", partition }));
}
