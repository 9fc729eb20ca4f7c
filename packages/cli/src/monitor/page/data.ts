/** One line of the page. Offsets and lags are decimal strings, as JSON's numbers are too small. */
export interface ConsumerLine {
  readonly name: string;
  readonly topics: readonly string[];
  readonly partitions: number;
  /** Absent: the log did not say. */
  readonly lag?: string;
  /** Positions whose lag is not known. */
  readonly unknown: number;
  readonly perSecond?: number;
  readonly members: number;
  /** The oldest last sign, a write or a heartbeat, of a position that has something to read. */
  readonly oldestMs?: number;
}

/** What the page asks for again and again. */
export interface PageData {
  readonly atMs: number;
  readonly nowMs: number;
  readonly intervalMs: number;
  readonly store: string;
  readonly failure?: string;
  readonly warnings: readonly string[];
  readonly consumers: readonly ConsumerLine[];
}

/** One partition of a consumer that is open. */
export interface PositionLine {
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset?: string;
  readonly logEnd?: string;
  readonly lag?: string;
  readonly perSecond?: number;
  readonly owner?: string;
  /** Its holder's heartbeats have stopped. */
  readonly isSilent?: boolean;
  readonly heardAtMs: number;
  readonly expiresAtMs?: number;
}

/** What the page asks for of a consumer that is open. */
export interface ConsumerData {
  readonly nowMs: number;
  /** In seconds since the epoch, and the lag beside each; `null`: not known. */
  readonly history: { readonly times: readonly number[]; readonly lags: readonly (number | null)[] };
  readonly positions: readonly PositionLine[];
}
