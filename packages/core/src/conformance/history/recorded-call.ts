import type { OffsetKey } from "../../key.ts";
import type { OffsetRecord } from "../../offset-record.ts";
import type {
  ClaimEntry,
  ClaimOutcome,
  CommitEntry,
  CommitOutcome,
  DeleteSelector,
  ExpireEntry,
  ExpireOutcome,
  FetchOutcome,
  OffsetFilter,
  ResetEntry,
  ResetOutcome,
} from "../../offset-store.ts";

/** What was asked, and what was answered if anything was. */
export type RecordedExchange =
  | { readonly verb: "claim"; readonly entries: readonly ClaimEntry[]; answer?: readonly ClaimOutcome[] }
  | { readonly verb: "commit"; readonly entries: readonly CommitEntry[]; answer?: readonly CommitOutcome[] }
  | { readonly verb: "reset"; readonly entries: readonly ResetEntry[]; answer?: readonly ResetOutcome[] }
  | { readonly verb: "expire"; readonly entries: readonly ExpireEntry[]; answer?: readonly ExpireOutcome[] }
  | { readonly verb: "fetch"; readonly keys: readonly OffsetKey[]; answer?: readonly FetchOutcome[] }
  | { readonly verb: "list"; readonly filter: OffsetFilter; answer?: readonly OffsetRecord[] }
  | { readonly verb: "delete"; readonly selector: DeleteSelector; answer?: readonly OffsetKey[] };

/** One call of a store, as its caller saw it. Plain data, so that processes can send it to each other. */
export type RecordedCall = RecordedExchange & {
  /** Who called. */
  readonly client: string;
  /** Nanoseconds of the machine's monotonic clock, which its processes share. */
  readonly calledAt: bigint;
  /** Absent while it is under way, and forever if the call was rejected: whether it did anything is then not known. */
  answeredAt?: bigint;
  /** How many times the store made the call again by itself: each attempt may have been carried out, and be on its way still. */
  repeats: number;
};

/** The verbs whose calls are recorded. */
export type RecordedVerb = RecordedCall["verb"];
