import { type Change, delay, type WriteAnswer, type WriteContext } from "@tidemark/core/driver";
import type { ObjectContent } from "./object-keys.ts";
import { ObjectDraft } from "./object-draft.ts";
import { type ObjectState, readState } from "./object-state.ts";
import { entryNameOf, serialise, type SerialisedDocument } from "./offsets-document.ts";
import { ObjectTooLargeError, statusOf } from "./s3-errors.ts";
import { MAX_OBJECT_BYTES, type S3Objects } from "./s3-objects.ts";

/** What all objects of a store have in common. */
export interface Bucket {
  readonly objects: S3Objects;
  /** Whether the server honours `If-Match` on DELETE. */
  readonly removesConditionally: boolean;
}

/** One call's changes of one object, until they are answered. */
interface WaitingWrite {
  readonly changes: readonly Change[];
  readonly signal: AbortSignal;
  readonly isTimed: boolean;
  readonly resolve: (answer: WriteAnswer) => void;
  readonly reject: (error: unknown) => void;
  isSettled: boolean;
}

/** Of a lost race: any part of it. Growing pauses would leave the object to the last winner. */
const CONTENTION_MAX_MS = 30;
/** For so many writes after a lost race a store takes it that others write the same object. */
const SHARED_WRITES = 8;
/** How many of its own writes' durations it leaves to them after each, at most. */
const COURTESY = 3;
const COURTESY_MAX_MS = 100;

/**
 * One object, as one store sees it.
 *
 * Writes wait for each other, and those that wait are stored together, so that calls of one process never race in S3. A
 * write continues from what the store last knew and is conditional on it: if it succeeds, that was still so, and the steady
 * flush of a sole writer is one PUT. What others wrote meanwhile is read, and the changes are compared with it again.
 */
export class SharedObject {
  readonly key: string;
  readonly #bucket: Bucket;
  readonly #content: ObjectContent;
  #known: ObjectState | undefined;
  #waiting: WaitingWrite[] = [];
  #isRunning = false;
  #lostRaces = 0;
  #sharedFor = 0;
  #lastWriteMs = 0;
  #wroteAt = 0;

  constructor(bucket: Bucket, key: string, content: ObjectContent) {
    this.#bucket = bucket;
    this.key = key;
    this.#content = content;
  }

  /** Whether nothing is waiting or under way. */
  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** How much of the object is kept in memory. */
  get bytes(): number {
    return this.#known?.bytes ?? 0;
  }

  /** Reads the object as it is. */
  async read(signal: AbortSignal): Promise<ObjectState> {
    const before = this.#known;
    const wasIdle = this.isIdle;
    const state = await readState(this.#bucket.objects, this.key, signal);
    // It may be older than what a write has found meanwhile.
    if (wasIdle && this.isIdle && this.#known === before) this.#remember(state);
    return state;
  }

  /** Compares and stores changes. An error leaves open whether they are stored. */
  write(changes: readonly Change[], { signal, timed = false }: WriteContext): Promise<WriteAnswer> {
    const { promise, resolve, reject } = Promise.withResolvers<WriteAnswer>();
    this.#waiting.push({ changes, signal, isTimed: timed, resolve, reject, isSettled: false });
    if (!this.#isRunning) {
      this.#isRunning = true;
      // Calls of the same moment are stored with the first.
      queueMicrotask(() => void this.#writeWaiting());
    }
    return promise;
  }

  async #writeWaiting(): Promise<void> {
    while (this.#waiting.length > 0) {
      const round = this.#waiting;
      this.#waiting = [];
      await this.#writeRound(round);
    }
    this.#isRunning = false;
  }

  /** Returns when each write of the round is answered. */
  async #writeRound(round: readonly WaitingWrite[]): Promise<void> {
    const ended = new AbortController();
    const leave = round.map((waiting) => {
      const onAbort = (): void => {
        settle(waiting, () => waiting.reject(waiting.signal.reason));
        if (round.every(({ isSettled }) => isSettled)) ended.abort(waiting.signal.reason);
      };
      waiting.signal.addEventListener("abort", onAbort, { once: true });
      if (waiting.signal.aborted) onAbort();
      return () => waiting.signal.removeEventListener("abort", onAbort);
    });
    try {
      await this.#store(round, ended.signal);
    } catch (error) {
      if (error instanceof ObjectTooLargeError && round.length > 1) {
        // One of them is too much: it fails alone.
        for (const waiting of round) await this.#writeRound([waiting]);
      }
      for (const waiting of round) settle(waiting, () => waiting.reject(error));
    }
    for (const remove of leave) remove();
  }

  async #store(round: readonly WaitingWrite[], signal: AbortSignal): Promise<void> {
    let isFresh = this.#known === undefined;
    for (;;) {
      signal.throwIfAborted();
      const open = round.filter(({ isSettled }) => !isSettled);
      const state = this.#known ?? (await this.#refresh(signal));
      const draft = new ObjectDraft(state);
      const answers: WriteAnswer["changes"][] = [];
      for (const { changes } of open) answers.push(await draft.take(changes));
      // A member that has left leaves no object: there would be more and more of them.
      const isRemoval = this.#content === "member" && draft.entries.size === 0;
      if (!isFresh && (draft.isRefused || isRemoval)) {
        // Neither is decided by what is only remembered.
        isFresh = true;
        this.#known = undefined;
        continue;
      }
      if (!draft.isChanged) return this.#answer(open, answers, state);
      if (!isFresh) await this.#giveWay(signal);
      const document = isRemoval ? undefined : await this.#serialise(draft, state);
      // Who has given up meanwhile is left out.
      if (open.some(({ isSettled }) => isSettled)) continue;
      isFresh = true;
      const stored = await this.#send(document, draft, state, signal);
      if (stored !== undefined) {
        const isTimed = open.some((waiting) => waiting.isTimed);
        // By the answer to a PUT the time is not known to the second that the object shows.
        const shown = isTimed ? await this.#refresh(signal).catch(() => stored) : stored;
        return this.#answer(open, answers, shown, draft.stamp.time);
      }
    }
  }

  #answer(
    open: readonly WaitingWrite[],
    answers: readonly WriteAnswer["changes"][],
    shown: ObjectState,
    about?: number,
  ): void {
    for (const [at, waiting] of open.entries()) {
      const writtenAt = waiting.isTimed ? (timeOf(waiting.changes, shown) ?? about) : undefined;
      settle(waiting, () => waiting.resolve({ writtenAt, changes: answers[at] }));
    }
  }

  async #serialise({ entries }: ObjectDraft, { writes, now }: ObjectState): Promise<SerialisedDocument> {
    const document = await serialise({ writes, entries }, now);
    const { length } = document.body;
    if (length <= MAX_OBJECT_BYTES) return document;
    throw new ObjectTooLargeError(
      `the object ${JSON.stringify(this.key)} would have ${length} bytes, more than the limit of ${MAX_OBJECT_BYTES}: ` +
        "commit less metadata, or split the partitions between several consumer names",
    );
  }

  /** Sends one write, without a document a removal; `undefined`: another's came before it. */
  async #send(
    document: SerialisedDocument | undefined,
    { stamp }: ObjectDraft,
    state: ObjectState,
    signal: AbortSignal,
  ): Promise<ObjectState | undefined> {
    const { objects, removesConditionally } = this.#bucket;
    const { etag } = state;
    this.#known = undefined;
    if (document === undefined) {
      const result = await objects.remove(this.key, removesConditionally ? etag : undefined, signal);
      return result === "removed" ? state : undefined;
    }
    const { body, writes, entries } = document;
    const startedAt = performance.now();
    let failure: { readonly error: unknown } | undefined;
    try {
      const written = await objects.put(this.key, body, etag === undefined ? "absent" : { etag }, signal);
      if (written !== undefined) {
        this.#wroteAt = performance.now();
        this.#lastWriteMs = this.#wroteAt - startedAt;
        this.#sharedFor = Math.max(0, this.#sharedFor - 1);
        this.#lostRaces = 0;
        // The clock that answers may lag behind the one that stamps objects: time never goes back within an object.
        const writtenAt = Math.max(written.writtenAt, state.writtenAt);
        stamp.time = writtenAt;
        return this.#remember({ ...written, bytes: body.length, writtenAt, writes, entries, damage: undefined });
      }
    } catch (error) {
      // So Ceph says that a race is lost.
      if (statusOf(error) !== 500) throw error;
      failure = { error };
    }
    this.#lostRaces += 1;
    this.#sharedFor = SHARED_WRITES;
    if (this.#lostRaces > 1) await delay(Math.random() * CONTENTION_MAX_MS, signal);
    const found = await this.#refresh(signal);
    // What was refused may have arrived all the same: something in between, the SDK perhaps, has sent it twice.
    if (found.writes.includes(writes[0] as string)) return found;
    // An ETag never comes again: once there is another one, this write does not arrive any more.
    if (failure !== undefined && found.etag === etag) throw failure.error;
    return undefined;
  }

  /**
   * The last writer knows what to continue from, and would win every race against those who must read first. Where others
   * write too, it lets a moment pass after its own write; a flush every few seconds is never held up.
   */
  async #giveWay(signal: AbortSignal): Promise<void> {
    if (this.#sharedFor === 0) return;
    const courtesyMs = Math.random() * Math.min(COURTESY * this.#lastWriteMs, COURTESY_MAX_MS);
    const leftMs = courtesyMs - (performance.now() - this.#wroteAt);
    if (leftMs > 0) await delay(leftMs, signal);
  }

  async #refresh(signal: AbortSignal): Promise<ObjectState> {
    return this.#remember(await readState(this.#bucket.objects, this.key, signal));
  }

  #remember(state: ObjectState): ObjectState {
    // What is damaged may be repaired by hand.
    this.#known = state.damage === undefined ? state : undefined;
    return state;
  }
}

/** When the changes were written, as a state shows it; `undefined`: it does not. */
function timeOf(changes: readonly Change[], { entries }: ObjectState): number | undefined {
  for (const { key, version } of changes) {
    const entry = entries.get(entryNameOf(key));
    if (entry !== undefined && "stamp" in entry && entry.version === version) return entry.stamp.time;
  }
  return undefined;
}

function settle(waiting: WaitingWrite, how: () => void): void {
  if (waiting.isSettled) return;
  waiting.isSettled = true;
  how();
}
