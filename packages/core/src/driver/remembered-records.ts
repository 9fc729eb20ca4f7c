import type { OffsetKey } from "../key.ts";
import { KeyMap } from "./key-map.ts";
import type { Sent } from "./sent.ts";
import type { StoredOffset } from "./stored-offset.ts";

/** What a store knows of a record that it has written itself. */
export interface RememberedRecord {
  /** `[version]`, one array for all that was written together. */
  readonly expected: readonly [string];
  /** The record; a time that no answer had is `UNKNOWN_TIME`. */
  readonly stored: StoredOffset;
  /** When the write was sent: one for all that was written together. */
  readonly sent: Sent;
}

const MAX_RECORDS = 100_000;

/**
 * The records that one store holds claims on, as it wrote them: with them a commit is one write and no read. Used only to
 * write; what a refusal says is always read.
 */
export class RememberedRecords {
  readonly #records = new KeyMap<RememberedRecord>(MAX_RECORDS);
  readonly #granularityMs: number;

  constructor(granularityMs: number) {
    this.#granularityMs = granularityMs;
  }

  /**
   * The record, if it is surely still there: in the first half of its time to live, less a step of the store's clock. The
   * other half is for what the two clocks differ by: the store's rounds, is slewed, is set.
   */
  get(key: OffsetKey): RememberedRecord | undefined {
    const known = this.#records.get(key);
    if (known?.stored.ttl === undefined) return known;
    const { sent } = known;
    const isThere = sent.elapsedMs + this.#granularityMs < known.stored.ttl / 2 && Date.now() >= sent.wall;
    return isThere ? known : undefined;
  }

  set(key: OffsetKey, known: RememberedRecord): void {
    this.#records.set(key, known);
  }

  forget(key: OffsetKey): void {
    this.#records.delete(key);
  }
}
