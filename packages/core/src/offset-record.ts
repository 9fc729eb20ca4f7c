import type { OffsetKey } from "./key.ts";

/** Offsets that are done although the position has not passed them: from `from` up to, and without, `to`. */
export interface OffsetRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** Where a position was before its last reset, so that the reset can be undone. */
export interface ResetOrigin {
  /** The position before the reset. Absent: there was none. */
  readonly nextOffset?: bigint;
  /** What moved it: the reason of a policy's reset, or `"operator"`. */
  readonly reason: string;
  /** When it was moved. */
  readonly at: Date;
}

/**
 * What a store keeps for one key, as every verb shows it. The claim's token is never shown.
 *
 * All times are by the store's own clock (contract 3.5).
 */
export interface OffsetRecord extends OffsetKey {
  /** The offset of the next record to read, `0 <= n < 2^63`. Absent: claimed, but nothing committed yet. */
  readonly nextOffset?: bigint;
  /** The text committed along with the position; `""` when none was given. At most 4,096 UTF-8 bytes. */
  readonly metadata: string;
  /** Which log the position belongs to, in that log's own words. Absent: any log takes the position. */
  readonly mark?: string;
  /** Offsets beyond the position that are done, in ascending order. Absent: none. */
  readonly acknowledged?: readonly OffsetRange[];
  /** A number that only grows: new with every claim, every move back and every reset (contract 3.2e). */
  readonly epoch: number;
  /** Where the position was before the last reset. Absent: it was never reset. */
  readonly resetFrom?: ResetOrigin;
  /** Milliseconds that the record lives after its last write. Absent: it never expires. */
  readonly ttl?: number;
  /** The human-readable name of the session that holds the claim. Absent: no session holds it. */
  readonly owner?: string;
  /** The member of a sharing group that holds the claim. Absent: none does. */
  readonly member?: string;
  /** When the claim was taken. Absent: no session holds it. */
  readonly claimedAt?: Date;
  /** When the position was last written. */
  readonly committedAt?: Date;
  /** When the record was last written, by any verb. */
  readonly updatedAt: Date;
  /** The moment from which the record is invisible to every verb. Absent: never. */
  readonly expiresAt?: Date;
}
