import type { OffsetKey } from "../../../key.ts";
import type { ClaimEntry, ExpireEntry, OffsetFilter } from "../../../offset-store.ts";

/** A position: one, or so far from what is stored when the command runs. */
export type Place = bigint | { readonly fromStored: number };

/** A commit whose positions and epoch are found when it runs. */
export interface PlannedCommit {
  readonly key: OffsetKey;
  readonly token: string;
  /** How many epochs ago the one began that is sent: 0 is the newest that was in an answer. Absent: none is sent. */
  readonly epochsAgo?: number | undefined;
  readonly to?: Place | undefined;
  readonly metadata?: string | undefined;
  readonly mark?: string | undefined;
  /** For each range, how far it begins beyond what is before it, and how long it is. */
  readonly acknowledged?: readonly (readonly [gap: number, length: number])[] | undefined;
  readonly resetFrom?: { readonly nextOffset?: bigint | undefined; readonly reason: string } | undefined;
  readonly ttl?: number | null | undefined;
  readonly rewind?: boolean | undefined;
  readonly release?: boolean | undefined;
  /** The owner to recreate the record with; absent: it is not recreated. */
  readonly recreateFor?: string | undefined;
}

/** A reset whose position is found when it runs. */
export interface PlannedReset {
  readonly key: OffsetKey;
  readonly to: Place;
  readonly metadata?: string | undefined;
  readonly ttl?: number | null | undefined;
}

/**
 * One thing that a client does, as data. Every command makes sense after any others, so that any of them can be left
 * out when a failing list is made shorter.
 */
export type ModelCommand = { readonly client: number } & (
  | { readonly verb: "claim"; readonly entries: readonly ClaimEntry[] }
  | { readonly verb: "commit"; readonly entries: readonly PlannedCommit[] }
  | { readonly verb: "reset"; readonly entries: readonly PlannedReset[] }
  | { readonly verb: "expire"; readonly entries: readonly ExpireEntry[] }
  | { readonly verb: "fetch"; readonly keys: readonly OffsetKey[] }
  | { readonly verb: "list"; readonly filter: OffsetFilter }
  | { readonly verb: "delete"; readonly selector: { readonly keys: readonly OffsetKey[] } | OffsetFilter }
  /** Removes what has expired; what the model has, has not. */
  | { readonly verb: "sweep" }
  /** Gives the keys a short time to live and waits until it has run out. */
  | { readonly verb: "outlive"; readonly keys: readonly OffsetKey[] }
  /** Closes the first client and opens it again, where anything outlives that. */
  | { readonly verb: "reopen" }
);
