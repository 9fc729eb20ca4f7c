import type { OffsetKey } from "../../../key.ts";
import type { OffsetRange } from "../../../offset-record.ts";
import type { ClaimEntry, CommitEntry, ExpireEntry, FencedReason, ResetEntry } from "../../../offset-store.ts";

/** Names a moment that only the store's clock knows. Two records with the same stamp must show the same time. */
export type Stamp = number;

/** What the model keeps of one key. */
export interface KeyState {
  readonly nextOffset: bigint | undefined;
  readonly metadata: string;
  readonly mark: string | undefined;
  readonly acknowledged: readonly OffsetRange[] | undefined;
  readonly resetFrom: ShownReset | undefined;
  readonly ttl: number | undefined;
  readonly epoch: number;
  readonly token: string | undefined;
  readonly released: boolean;
  readonly owner: string | undefined;
  readonly member: string | undefined;
  readonly claimedAt: Stamp | undefined;
  readonly committedAt: Stamp | undefined;
  readonly updatedAt: Stamp;
}

/** Where a position was before its last reset. */
export interface ShownReset {
  readonly nextOffset?: bigint;
  readonly reason: string;
  readonly at: Stamp;
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
  readonly mark?: string;
  readonly acknowledged?: readonly OffsetRange[];
  readonly resetFrom?: ShownReset;
  readonly ttl?: number;
  readonly epoch: number;
  readonly owner?: string;
  readonly member?: string;
  readonly claimedAt?: Stamp;
  readonly committedAt?: Stamp;
  readonly updatedAt: Stamp;
}

/** What the model says to an operation. A `delete` is `removed` or `absent`. */
export interface KeyAnswer {
  readonly status: string;
  readonly reason?: FencedReason;
  readonly owner?: string;
  readonly epoch?: number;
  readonly ttl?: number;
  readonly record?: ShownState | undefined;
}

/** What an operation comes to. */
export interface KeyStep {
  /** The same object if nothing was written. */
  readonly state: KeyState | undefined;
  readonly answer: KeyAnswer;
}

/** What only the store knows of a step: its moment, and the number of an epoch that begins with it. */
export interface StepNames {
  readonly stamp: Stamp;
  readonly epoch: number;
}

/**
 * The contract for one key, once more and in the fewest words, written independently of `driver/decisions.ts`: a model
 * that shares the code under test would share its faults. It knows no time: nothing expires in it.
 *
 * @param names - what this step's moment and epoch are called from now on.
 */
export function stepOfKey(state: KeyState | undefined, operation: KeyOperation, names: StepNames): KeyStep {
  const { stamp } = names;
  const kept = state ?? NOTHING;
  switch (operation.verb) {
    case "fetch":
      return { state, answer: state ? { status: "found", record: shown(state) } : { status: "absent" } };
    case "delete":
      return { state: undefined, answer: { status: state ? "removed" : "absent" } };
    case "claim": {
      const { token, owner, member, ttl } = operation.entry;
      const isSame = kept.token === token && !kept.released;
      const { epoch, claimedAt } = isSame ? kept : { epoch: names.epoch, claimedAt: stamp };
      const held = { epoch, token, released: false, owner, member, claimedAt };
      const claimed = { ...kept, ...held, ttl: changed(kept.ttl, ttl), updatedAt: stamp };
      return { state: claimed, answer: { status: "claimed", epoch, record: state && shown(state) } };
    }
    case "reset": {
      const { nextOffset, metadata = "", ttl } = operation.entry;
      const isThere = state?.nextOffset === nextOffset;
      const resetFrom = isThere ? state.resetFrom : state && resetOf(state.nextOffset, "operator", stamp);
      const moved = { nextOffset, metadata, resetFrom, committedAt: stamp, updatedAt: stamp, epoch: names.epoch };
      return { state: { ...NOTHING, ...moved, ttl: changed(kept.ttl, ttl) }, answer: { status: "reset" } };
    }
    case "expire":
      if (!state) return { state, answer: { status: "absent" } };
      return {
        state: { ...state, ttl: operation.entry.ttl ?? undefined, updatedAt: stamp },
        answer: { status: "set" },
      };
    case "commit":
      return commitStep(state, operation.entry, names);
  }
}

function commitStep(state: KeyState | undefined, entry: CommitEntry, { stamp, epoch }: StepNames): KeyStep {
  const { token, nextOffset, ttl, recreate, owner, member } = entry;
  if (!state && recreate !== true) return fenced(state, "absent");
  const begins = entry.rewind === true || entry.epoch === undefined;
  const made = { token, owner, member, claimedAt: stamp, epoch: begins ? epoch : entry.epoch };
  const now = state ?? { ...NOTHING, ...made };
  if (now.token !== token) {
    if (now.released) return fenced(state, "released");
    return now.token === undefined ? fenced(state, "reset") : fenced(state, "superseded", now.owner);
  }
  const isThere = nextOffset === now.nextOffset;
  const isLate = state !== undefined && entry.epoch !== undefined && entry.epoch !== now.epoch;
  if (isLate || now.released) {
    // Nothing else is written any more; but what is stored may be this very commit, whose answer was lost.
    const isEnded = now.released === (entry.release === true);
    const isRepeated = isLate
      ? entry.rewind === true && isThere && isEnded
      : isEnded && (nextOffset === undefined || isThere);
    const told = entry.rewind === true ? { epoch: now.epoch } : {};
    if (isRepeated) {
      const again = { ttl: changed(now.ttl, ttl), updatedAt: stamp };
      return { state: { ...now, ...again }, answer: { status: "committed", ...told, ...ttlOf(again) } };
    }
    return now.released ? fenced(state, "released") : fenced(state, "superseded", now.owner);
  }
  const isBack = nextOffset !== undefined && now.nextOffset !== undefined && nextOffset < now.nextOffset;
  if (isBack && entry.rewind !== true) return { state, answer: { status: "behind", record: shown(now) } };
  const rewound = entry.rewind === true ? { epoch } : {};
  const released = entry.release === true ? LET_GO : {};
  const renewed = { ttl: changed(now.ttl, ttl), updatedAt: stamp };
  return {
    state: { ...now, ...positionOf(now, entry, stamp), ...renewed, ...rewound, ...released },
    answer: { status: "committed", ...rewound, ...ttlOf(renewed) },
  };
}

/** What a commit changes by its position: all that goes with the former one. */
function positionOf(now: KeyState, entry: CommitEntry, stamp: Stamp): Partial<KeyState> {
  const { nextOffset, metadata = now.metadata, mark, acknowledged = [], resetFrom } = entry;
  if (nextOffset === undefined) return {};
  return {
    nextOffset,
    metadata,
    mark,
    acknowledged: acknowledged.length === 0 ? undefined : acknowledged,
    resetFrom: resetFrom ? resetOf(resetFrom.nextOffset, resetFrom.reason, stamp) : now.resetFrom,
    committedAt: stamp,
  };
}

function resetOf(nextOffset: bigint | undefined, reason: string, at: Stamp): ShownReset {
  return { ...(nextOffset !== undefined && { nextOffset }), reason, at };
}

const NOTHING: KeyState = {
  nextOffset: undefined,
  metadata: "",
  mark: undefined,
  acknowledged: undefined,
  resetFrom: undefined,
  ttl: undefined,
  epoch: 0,
  token: undefined,
  released: false,
  owner: undefined,
  member: undefined,
  claimedAt: undefined,
  committedAt: undefined,
  updatedAt: 0,
};

/** The token stays: it distinguishes a late commit from a stranger's, and a release can be repeated. */
const LET_GO = { released: true, owner: undefined, member: undefined, claimedAt: undefined } as const;

function fenced(state: KeyState | undefined, reason: FencedReason, owner?: string): KeyStep {
  return { state, answer: { status: "fenced", reason, ...(owner !== undefined && { owner }) } };
}

function changed(kept: number | undefined, ttl: number | null | undefined): number | undefined {
  return ttl === undefined ? kept : (ttl ?? undefined);
}

function ttlOf({ ttl }: Pick<KeyState, "ttl">): Pick<KeyAnswer, "ttl"> {
  return ttl === undefined ? {} : { ttl };
}

function shown(state: KeyState): ShownState {
  const { token: _, released: __, ...fields } = state;
  const present = Object.entries(fields).filter(([, value]) => value !== undefined);
  return Object.fromEntries(present) as unknown as ShownState;
}

/** A key as text, to distinguish it from others. */
export function identity({ consumer, topic, partition }: OffsetKey): string {
  return JSON.stringify([consumer, topic, partition]);
}
