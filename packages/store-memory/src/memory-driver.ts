import type { StoreCapabilities } from "@tidemark/core";
import type {
  Change,
  DriverKey,
  ErrorClassification,
  ListFilter,
  ListPage,
  OffsetStoreDriver,
  ReadAnswer,
  WriteAnswer,
} from "@tidemark/core/driver";
import type { EntryTable, TableEntry } from "./entry-table.ts";

/** How many entries a listing looks at before it lets others run. */
const LIST_PAGE = 1_000;
/** How many entries a write looks at, for each that it writes, to find expired ones. */
const LOOKS_PER_CHANGE = 2;

/** What the memory store can do. */
const memoryCapabilities: StoreCapabilities = Object.freeze({
  atomicBatch: true,
  transactions: false,
  durability: "none",
  expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1 }),
  maxBatch: 10_000,
});

/** The driver over one table. Each verb is one synchronous run: in one process that is an atomic step (contract 3.1a). */
export class MemoryDriver implements OffsetStoreDriver {
  readonly name = "memory";
  readonly capabilities = memoryCapabilities;
  readonly #table: EntryTable;
  readonly #clock: () => number;

  constructor(table: EntryTable, clock: () => number) {
    this.#table = table;
    this.#clock = clock;
  }

  async read(keys: readonly DriverKey[]): Promise<ReadAnswer> {
    return { now: this.#clock(), entries: keys.map((key) => this.#table.get(key)) };
  }

  async write(changes: readonly Change[]): Promise<WriteAnswer> {
    const writtenAt = this.#clock();
    // A store knows by the process's clock for how long what it wrote lives, and this clock may be another.
    for (const { key, value } of changes) if (value !== undefined) this.#table.reclaim(key, writtenAt);
    const fits = changes.map((change) => isExpected(change, this.#table.get(change.key)));
    if (fits.includes(false)) return { changes: fits.map((fit) => (fit ? "skipped" : "conflict")) };
    for (const { key, value, version, reclaimAfter } of changes) {
      if (value === undefined) this.#table.delete(key);
      else this.#table.set(key, { version, value, writtenAt }, writtenAt + (reclaimAfter ?? Number.POSITIVE_INFINITY));
    }
    this.#table.sweep(writtenAt, LOOKS_PER_CHANGE * changes.length);
    return { writtenAt, changes: undefined };
  }

  async *list(filter: ListFilter): AsyncGenerator<ListPage, void, undefined> {
    let now = this.#clock();
    let page: TableEntry[] = [];
    let looked = 0;
    for (const entry of this.#table.all()) {
      if (matches(filter, entry.key)) page.push(entry);
      looked += 1;
      if (looked < LIST_PAGE) continue;
      yield { now, entries: page.map((each) => ({ key: each.key, entry: each })) };
      page = [];
      looked = 0;
      now = this.#clock();
    }
    yield { now, entries: page.map((each) => ({ key: each.key, entry: each })) };
  }

  classify(error: unknown): ErrorClassification {
    const message = error instanceof Error ? error.message : String(error);
    return { code: "UNKNOWN", retryable: false, message };
  }

  async close(): Promise<void> {}
}

function isExpected({ expected }: Change, stored: TableEntry | undefined): boolean {
  return expected === "any" || expected.includes(stored?.version ?? null);
}

function matches({ kind, consumer, topic, partition }: ListFilter, key: DriverKey): boolean {
  const isMember = "member" in key;
  return (
    (kind === "member") === isMember &&
    (consumer === undefined || consumer === key.consumer) &&
    (topic === undefined || topic === key.topic) &&
    (partition === undefined || (!isMember && partition === key.partition))
  );
}
