import type { OffsetKey } from "../../../key.ts";
import type { ClaimEntry, CommitEntry, ExpireEntry, FencedReason, ResetEntry } from "../../../offset-store.ts";

/** Names a moment that only the store's clock knows. Two records with the same stamp must show the same time. */
export type Stamp = number;

/** What the model keeps of one key. */
export interface KeyState {
  readonly nextOffset: bigint | undefined;
  readonly metadata: string;
  readonly ttl: number | undefined;
  readonly token: string | undefined;
  readonly owner: string | undefined;
  readonly claimedAt: Stamp | undefined;
  readonly committedAt: Stamp | undefined;
}

/** What a call does to one key. */
export type KeyOperation =
  | { readonly verb: "claim"; readonly entry: ClaimEntry }
  | { readonly verb: "commit"; readonly entry: CommitEntry }
  | { readonly verb: "reset"; readonly entry: ResetEntry }
  | { readonly verb: "expire"; readonly entry: ExpireEntry }
  | { readonly verb: "fetch" }
  | { readonly verb: "delete" };

/** A record as the model shows it: without its key, stamps for times, `expires` for the moment of expiry. */
export interface ShownState {
  readonly nextOffset?: bigint;
  readonly metadata: string;
  readonly ttl?: number;
  readonly owner?: string;
  readonly claimedAt?: Stamp;
  readonly committedAt?: Stamp;
}

/** What the model says to an operation. A `delete` is `removed` or `absent`. */
export interface KeyAnswer {
  readonly status: string;
  readonly reason?: FencedReason;
  readonly owner?: string;
  readonly record?: ShownState | undefined;
}

/** What an operation comes to. */
export interface KeyStep {
  /** The same object if nothing was written. */
  readonly state: KeyState | undefined;
  readonly answer: KeyAnswer;
}

/**
 * The contract for one key, once more and in the fewest words, written independently of `driver/transitions.ts`: a model
 * that shares the code under test would share its faults. It knows no time: nothing expires in it.
 *
 * @param stamp - what this step's moment is called from now on.
 */
export function stepOfKey(state: KeyState | undefined, operation: KeyOperation, stamp: Stamp): KeyStep {
  const kept = state ?? NOTHING;
  switch (operation.verb) {
    case "fetch":
      return { state, answer: state ? { status: "found", record: shown(state) } : { status: "absent" } };
    case "delete":
      return { state: undefined, answer: { status: state ? "removed" : "absent" } };
    case "claim": {
      const { token, owner, ttl } = operation.entry;
      const claimedAt = kept.token === token ? kept.claimedAt : stamp;
      const claimed = { ...kept, token, owner, claimedAt, ttl: changed(kept.ttl, ttl) };
      return { state: claimed, answer: { status: "claimed", record: state && shown(state) } };
    }
    case "reset": {
      const { nextOffset, metadata = "", ttl } = operation.entry;
      const moved = { ...NOTHING, nextOffset, metadata, committedAt: stamp, ttl: changed(kept.ttl, ttl) };
      return { state: moved, answer: { status: "reset" } };
    }
    case "expire":
      if (!state) return { state, answer: { status: "absent" } };
      return { state: { ...state, ttl: operation.entry.ttl ?? undefined }, answer: { status: "set" } };
    case "commit":
      return commitStep(state, operation.entry, stamp);
  }
}

function commitStep(state: KeyState | undefined, entry: CommitEntry, stamp: Stamp): KeyStep {
  const { token, nextToken = token, nextOffset, metadata = "", ttl, rewindFrom, recreate, owner } = entry;
  if (!state && recreate !== true) return fenced(state, "absent");
  if (state && state.token === undefined) return fenced(state, "reset");
  if (state && state.token !== token && state.token !== nextToken) return fenced(state, "superseded", state.owner);
  const now = state ?? { ...NOTHING, owner, claimedAt: stamp };
  const back = nextOffset !== undefined && now.nextOffset !== undefined && nextOffset < now.nextOffset;
  if (back && rewindFrom !== now.nextOffset) return { state, answer: { status: "behind", record: shown(now) } };
  const moved = nextOffset === undefined ? {} : { nextOffset, metadata, committedAt: stamp };
  return {
    state: { ...now, ...moved, token: nextToken, ttl: changed(now.ttl, ttl) },
    answer: { status: "committed" },
  };
}

const NOTHING: KeyState = {
  nextOffset: undefined,
  metadata: "",
  ttl: undefined,
  token: undefined,
  owner: undefined,
  claimedAt: undefined,
  committedAt: undefined,
};

function fenced(state: KeyState | undefined, reason: FencedReason, owner?: string): KeyStep {
  return { state, answer: { status: "fenced", reason, ...(owner !== undefined && { owner }) } };
}

function changed(kept: number | undefined, ttl: number | null | undefined): number | undefined {
  return ttl === undefined ? kept : (ttl ?? undefined);
}

function shown(state: KeyState): ShownState {
  const fields = Object.entries(state).filter(([field, value]) => field !== "token" && value !== undefined);
  return Object.fromEntries(fields) as unknown as ShownState;
}

/** A key as text, to tell it from others. */
export function identity({ consumer, topic, partition }: OffsetKey): string {
  return JSON.stringify([consumer, topic, partition]);
}
