import type {
  ClaimEntry,
  CommitEntry,
  DeleteSelector,
  ExpireEntry,
  OffsetFilter,
  OffsetKey,
  ResetEntry,
  StoreCapabilities,
} from "@tidemark/core";
import {
  claimTransition,
  commitTransition,
  type DriverClaimOutcome,
  type DriverCommitOutcome,
  type DriverExpireOutcome,
  type DriverFetchOutcome,
  type DriverListing,
  type DriverResetOutcome,
  type ErrorClassification,
  expireTransition,
  type OffsetStoreDriver,
  resetTransition,
  type StoredOffset,
  toOffsetRecord,
  visibleAt,
} from "@tidemark/core/driver";
import type { RecordTable } from "./record-table.ts";

/** How many records a listing looks at before it lets others run. */
const LIST_PAGE = 1_000;

/** What the memory store can do. */
const memoryCapabilities: StoreCapabilities = Object.freeze({
  atomicBatch: true,
  transactions: false,
  durability: "none",
  expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1 }),
  maxBatch: 1_000,
});

/**
 * The driver over one table. Every verb reads and writes in one synchronous run, which in one process is the atomic step
 * that the contract asks for (3.1).
 */
export class MemoryDriver implements OffsetStoreDriver {
  readonly name = "memory";
  readonly capabilities = memoryCapabilities;
  readonly #table: RecordTable;
  readonly #clock: () => number;

  constructor(table: RecordTable, clock: () => number) {
    this.#table = table;
    this.#clock = clock;
  }

  async claim(entries: readonly ClaimEntry[]): Promise<readonly DriverClaimOutcome[]> {
    const now = this.#writeTime();
    return entries.map((entry) => {
      const stored = this.#visible(entry.key, now);
      this.#table.set(entry.key, claimTransition(stored, entry, now));
      return { status: "claimed", record: stored && toOffsetRecord(entry.key, stored) };
    });
  }

  async commit(entries: readonly CommitEntry[]): Promise<readonly DriverCommitOutcome[]> {
    const now = this.#writeTime();
    return entries.map((entry) => {
      const { write, refusal } = commitTransition(entry.key, this.#visible(entry.key, now), entry, now);
      if (refusal !== undefined) return refusal;
      this.#table.set(entry.key, write);
      return { status: "committed" };
    });
  }

  async fetch(keys: readonly OffsetKey[]): Promise<readonly DriverFetchOutcome[]> {
    const now = this.#clock();
    return keys.map((key) => {
      const stored = this.#visible(key, now);
      return stored === undefined ? { status: "absent" } : { status: "found", record: toOffsetRecord(key, stored) };
    });
  }

  async *list(filter: OffsetFilter): AsyncGenerator<readonly DriverListing[], void, undefined> {
    let now = this.#clock();
    let page: DriverListing[] = [];
    let looked = 0;
    for (const { key, stored } of this.#table.matching(filter)) {
      const visible = visibleAt(stored, now);
      if (visible !== undefined) page.push({ status: "found", record: toOffsetRecord(key, visible) });
      looked += 1;
      if (looked < LIST_PAGE) continue;
      yield page;
      page = [];
      looked = 0;
      now = this.#clock();
    }
    if (page.length > 0) yield page;
  }

  async reset(entries: readonly ResetEntry[]): Promise<readonly DriverResetOutcome[]> {
    const now = this.#writeTime();
    return entries.map((entry) => {
      this.#table.set(entry.key, resetTransition(this.#visible(entry.key, now), entry, now));
      return { status: "reset" };
    });
  }

  async expire(entries: readonly ExpireEntry[]): Promise<readonly DriverExpireOutcome[]> {
    const now = this.#writeTime();
    return entries.map((entry) => {
      const stored = this.#visible(entry.key, now);
      if (stored === undefined) return { status: "absent" };
      this.#table.set(entry.key, expireTransition(stored, entry, now));
      return { status: "set" };
    });
  }

  async delete(selector: DeleteSelector): Promise<readonly OffsetKey[]> {
    const now = this.#clock();
    if ("expired" in selector) return this.#table.deleteExpired(now);
    const keys = "keys" in selector ? selector.keys : [...this.#table.matching(selector)].map(({ key }) => key);
    // Expired records go too, but nobody could see them: they are not told of.
    return keys.filter((key) => {
      const wasVisible = this.#visible(key, now) !== undefined;
      return this.#table.delete(key) && wasVisible;
    });
  }

  classify(error: unknown): ErrorClassification {
    return {
      code: "UNKNOWN",
      retryable: false,
      message: error instanceof Error ? error.message : String(error),
    };
  }

  async close(): Promise<void> {}

  #visible(key: OffsetKey, now: number): StoredOffset | undefined {
    return visibleAt(this.#table.get(key), now);
  }

  #writeTime(): number {
    const now = this.#clock();
    this.#table.sweep(now);
    return now;
  }
}
