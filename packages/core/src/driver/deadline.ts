/** The call took longer than the store's `timeout`. */
export class DeadlineExceeded extends Error {
  override readonly name = "DeadlineExceeded";
}

/** One call that ends by an answer, an abort or its time-out, whichever comes first. Also the context of driver calls. */
export class BoundedCall<Transaction = never> {
  readonly transaction: Transaction | undefined;
  /** Whether the next write is to return its time. */
  timed = false;
  /** Whether a write got no answer, and the next read is to show what became of it. */
  confirmed = false;
  /** The next call of the same time-out. */
  next: BoundedCall<Transaction> | undefined = undefined;
  readonly endsAt: number;
  readonly #timeoutMs: number;
  #controller: AbortController | undefined;
  #isOver = false;
  #reason: unknown;
  readonly #onEnded: (reason: unknown) => void;

  constructor(timeoutMs: number, transaction: Transaction | undefined, onEnded: (reason: unknown) => void) {
    this.#timeoutMs = timeoutMs;
    this.endsAt = performance.now() + timeoutMs;
    this.transaction = transaction;
    this.#onEnded = onEnded;
  }

  /** Made only if it is read: an AbortController costs more than all else of a commit. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Throws once the caller has its answer: what still runs for it sends nothing more. */
  check(): void {
    // An abort's reason is any value that the caller gave.
    // oxlint-disable-next-line only-throw-error
    if (this.#reason !== undefined) throw this.#reason;
  }

  expire(): void {
    this.end(new DeadlineExceeded(`no answer within ${Math.max(0, Math.round(this.#timeoutMs))} ms`));
  }

  end(reason: unknown): void {
    if (!this.leave()) return;
    this.#reason = reason;
    this.#onEnded(reason);
    this.#controller?.abort(reason);
  }

  /** Gives whether the call was still open. */
  leave(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    return true;
  }
}

/** One timer for all calls of one time-out: they end in the order in which they began. */
class Deadlines {
  #head: BoundedCall<never> | undefined;
  #tail: BoundedCall<never> | undefined;
  #timer: NodeJS.Timeout | undefined;
  // When it is to fire.
  #dueAt = 0;
  #open = 0;
  // Fake timers of a test may come while calls are open.
  readonly #setTimeout = setTimeout;

  add(call: BoundedCall<never>, timeoutMs: number): void {
    if (this.#tail === undefined) this.#head = call;
    else this.#tail.next = call;
    this.#tail = call;
    this.#open += 1;
    if (this.#timer === undefined) return this.#arm(timeoutMs);
    // Somebody has cleared all timers.
    if (call.endsAt > this.#dueAt + 2 * timeoutMs) return this.#arm(1);
    if (this.#open === 1) this.#timer.ref();
    // What is over at the front need not be kept until the timer fires.
    while (this.#head?.isOver === true && this.#head.next !== undefined) this.#head = detached(this.#head);
  }

  /** A call has ended: the last one leaves a timer behind that keeps no process alive. */
  left(): void {
    this.#open -= 1;
    if (this.#open === 0) this.#timer?.unref();
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer);
    this.#dueAt = performance.now() + ms;
    this.#timer = this.#setTimeout.call(globalThis, () => this.#fire(), ms);
    if (this.#open === 0) this.#timer.unref();
  }

  #fire(): void {
    this.#timer = undefined;
    const now = performance.now();
    let head = this.#head;
    while (head !== undefined && (head.isOver || head.endsAt <= now)) {
      head.expire();
      head = detached(head);
    }
    this.#head = head;
    if (head === undefined) this.#tail = undefined;
    else this.#arm(Math.max(1, Math.ceil(head.endsAt - now)));
  }
}

/** Gives the next call, and cuts the link: through one that the collector has grown old with, all after it would stay. */
function detached(call: BoundedCall<never>): BoundedCall<never> | undefined {
  const { next } = call;
  call.next = undefined;
  return next;
}

/** Time-outs are options: few different ones. What is left of one for a later batch may be any number. */
const MAX_TIMEOUTS = 64;
const deadlinesOf = new Map<number, Deadlines>();
let armedWith = setTimeout;

function deadlinesFor(timeoutMs: number): Deadlines {
  // Fake timers of a test have come, or gone: what is armed with the others may never fire.
  if (armedWith !== setTimeout) {
    armedWith = setTimeout;
    deadlinesOf.clear();
  }
  let deadlines = deadlinesOf.get(timeoutMs);
  if (deadlines === undefined) {
    if (deadlinesOf.size >= MAX_TIMEOUTS) deadlinesOf.clear();
    deadlinesOf.set(timeoutMs, (deadlines = new Deadlines()));
  }
  return deadlines;
}

/**
 * Bounds one call of a store: rejects with {@link DeadlineExceeded} when the time is up and with `signal.reason` when the
 * caller aborts, even if what is called never answers (contract 3.9). Leaves no listener behind, and no timer that keeps
 * the process alive.
 */
export function withinDeadline<Result, Transaction = never>(
  timeoutMs: number,
  signal: AbortSignal | undefined,
  run: (call: BoundedCall<Transaction>) => Promise<Result>,
  transaction?: Transaction,
): Promise<Result> {
  if (signal?.aborted === true) return Promise.reject(signal.reason);
  return new Promise<Result>((resolve, reject) => {
    const wholeMs = Math.max(1, Math.ceil(timeoutMs));
    const deadlines = deadlinesFor(wholeMs);
    const onAbort = signal && ((): void => call.end(signal.reason));
    const left = (): void => {
      deadlines.left();
      if (onAbort !== undefined) signal?.removeEventListener("abort", onAbort);
    };
    const call = new BoundedCall<Transaction>(wholeMs, transaction, (reason) => {
      left();
      reject(reason);
    });
    if (onAbort !== undefined) signal?.addEventListener("abort", onAbort, { once: true });
    deadlines.add(call as BoundedCall<never>, wholeMs);
    let running: Promise<Result>;
    try {
      running = run(call);
    } catch (error) {
      running = Promise.reject(error);
    }
    running.then(
      (result) => {
        if (!call.leave()) return;
        left();
        resolve(result);
      },
      (error: unknown) => {
        if (!call.leave()) return;
        left();
        reject(error);
      },
    );
  });
}

/** Waits, unless the signal ends it earlier; then rejects with its reason. */
export async function delay(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  const waited = Promise.withResolvers<void>();
  const timer = setTimeout(waited.resolve, milliseconds);
  const onAbort = (): void => waited.reject(signal?.reason);
  signal?.addEventListener("abort", onAbort, { once: true });
  try {
    await waited.promise;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", onAbort);
  }
}

/** The pause before a retry: doubles from `baseMs` up to `maxMs`, and any part of its upper half, so that clients spread. */
export function backoffMs(attempt: number, baseMs: number, maxMs: number): number {
  const full = Math.min(maxMs, baseMs * 2 ** attempt);
  return full / 2 + Math.random() * (full / 2);
}
