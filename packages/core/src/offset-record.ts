import type { OffsetKey } from "./key.ts";

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
  /** Milliseconds that the record lives after its last renewal. Absent: it never expires. */
  readonly ttl?: number;
  /** The human-readable name of the session that holds the claim. Absent: nobody does. */
  readonly owner?: string;
  /** When the claim was taken. */
  readonly claimedAt?: Date;
  /** When the position was last written. */
  readonly committedAt?: Date;
  /** The moment from which the record is invisible to every verb. Absent: never. */
  readonly expiresAt?: Date;
}
