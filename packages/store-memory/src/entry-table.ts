import type { DriverKey, StoredEntry } from "@tidemark/core/driver";

/** One stored entry with its key. */
export interface TableEntry extends StoredEntry {
  readonly key: DriverKey;
  /** Which insertion into the table this was: 1, 2, 3, ... */
  readonly serial: number;
  /** From when its space may be taken back. */
  readonly reclaimAt: number;
}

/** The entries of one namespace. A map, not an object: `__proto__` is a name like any other. */
export class EntryTable {
  readonly #entries = new Map<string, TableEntry>();
  #serial = 0;
  #sweep: Iterator<[string, TableEntry]> = this.#entries.entries();

  get size(): number {
    return this.#entries.size;
  }

  get(key: DriverKey): TableEntry | undefined {
    return this.#entries.get(identityOf(key));
  }

  set(key: DriverKey, entry: StoredEntry, reclaimAt: number): void {
    const identity = identityOf(key);
    const serial = this.#entries.get(identity)?.serial ?? (this.#serial += 1);
    this.#entries.set(identity, { ...entry, key, serial, reclaimAt });
  }

  delete(key: DriverKey): void {
    this.#entries.delete(identityOf(key));
  }

  /** Takes an entry's space back, if the time has come. */
  reclaim(key: DriverKey, now: number): void {
    const identity = identityOf(key);
    const entry = this.#entries.get(identity);
    if (entry !== undefined && entry.reclaimAt <= now) this.#entries.delete(identity);
  }

  /**
   * All entries that are there now, in the order in which they came. What is added during the iteration is left
   * out: otherwise that might never end.
   */
  *all(): Generator<TableEntry, void, undefined> {
    const last = this.#serial;
    for (const entry of this.#entries.values()) if (entry.serial <= last) yield entry;
  }

  /** Takes back expired entries: looks at a few for each that is written, so that no write pays for a great many. */
  sweep(now: number, looks: number): void {
    for (let looked = 0; looked < looks; looked += 1) {
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = this.#entries.entries();
        return;
      }
      const [identity, entry] = next.value;
      if (entry.reclaimAt <= now) this.#entries.delete(identity);
    }
  }
}

/** A name's length before it: no two keys run into one. */
function identityOf(key: DriverKey): string {
  const { consumer, topic } = key;
  const name = `${consumer.length}/${topic.length}/${consumer}${topic}`;
  return "partition" in key ? `${name}${key.partition}` : `${name}/${key.member}`;
}
