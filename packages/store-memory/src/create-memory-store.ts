import type { OffsetStore } from "@tidemark/core";
import {
  createOffsetStore,
  type OffsetStoreOptions,
  resolveStoreOptions,
  validateOptionNames,
} from "@tidemark/core/driver";
import { createMemoryBackend, type MemoryBackend, tablesBehind } from "./memory-backend.ts";
import { MemoryDriver } from "./memory-driver.ts";

/** What a memory store is made with. */
export interface MemoryStoreOptions extends OffsetStoreOptions {
  /**
   * The store's own clock, in milliseconds since the epoch. It decides expiry, so your test can let time pass without
   * waiting. Default `Date.now`. A shared backend has its own clock: give one of the two.
   */
  readonly clock?: (() => number) | undefined;
  /** Shares the records with other stores, see {@link createMemoryBackend}. Default: a backend of its own. */
  readonly backend?: MemoryBackend | undefined;
}

/**
 * Creates a store in the memory of this process, with the whole contract: for tests, and for positions that need not survive
 * a restart.
 *
 * @throws `TypeError` or `RangeError` if an option makes no sense.
 */
export function createMemoryStore(options: MemoryStoreOptions = {}): OffsetStore {
  validateOptionNames(options, ["clock", "backend"]);
  const { clock, backend } = options;
  if (clock !== undefined && backend !== undefined) {
    throw new TypeError("clock belongs to the backend: give it to createMemoryBackend({ clock })");
  }
  const { namespace } = resolveStoreOptions(options);
  const tables = tablesBehind(backend ?? createMemoryBackend({ clock }));
  return createOffsetStore(new MemoryDriver(tables.table(namespace), tables.clock), options);
}
