import { validateKnownOptions } from "@tidemark/core/driver";
import { EntryTable } from "./entry-table.ts";

/** What a backend is made with. */
export interface MemoryBackendOptions {
  /** The store's own clock: milliseconds since the epoch. Decides expiry. Default `Date.now`. */
  readonly clock?: (() => number) | undefined;
}

/**
 * The data behind one or several memory stores. Stores on one backend share their records by namespace, like clients of
 * one server; closing a store leaves them there.
 */
export interface MemoryBackend {
  /** How many entries take up memory in a namespace, expired ones that are not swept yet included. */
  size(namespace: string): number;
}

/** The tables behind a backend. */
export interface MemoryTables {
  readonly clock: () => number;
  readonly table: (namespace: string) => EntryTable;
}

const tablesOf = new WeakMap<MemoryBackend, MemoryTables>();

/**
 * Makes an empty backend, to be given to several {@link createMemoryStore} calls.
 *
 * @throws `TypeError` if `clock` is not a function.
 */
export function createMemoryBackend(options: MemoryBackendOptions = {}): MemoryBackend {
  validateKnownOptions(options, ["clock"]);
  const { clock = Date.now } = options;
  if (typeof clock !== "function") throw new TypeError("clock must be a function that returns milliseconds");
  const tables = new Map<string, EntryTable>();
  const backend: MemoryBackend = Object.freeze({
    size: (namespace: string) => tables.get(namespace)?.size ?? 0,
  });
  tablesOf.set(backend, {
    clock,
    table(namespace) {
      let table = tables.get(namespace);
      if (table === undefined) {
        table = new EntryTable();
        tables.set(namespace, table);
      }
      return table;
    },
  });
  return backend;
}

/** The tables of a backend; a `TypeError` if it is none. */
export function tablesBehind(backend: MemoryBackend): MemoryTables {
  const tables = tablesOf.get(backend);
  if (tables === undefined) throw new TypeError("backend must come from createMemoryBackend()");
  return tables;
}
