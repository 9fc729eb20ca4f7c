import { traced } from "../diagnostics/channels.ts";
import type { DiagnosticsOrigin } from "../diagnostics/messages.ts";
import { backoffMs } from "../driver/deadline.ts";
import { keepingAwake } from "../keeping-awake.ts";
import type { LogRecord } from "../log-source.ts";
import type { ConsumedPartition } from "./consumed-partition.ts";
import type { ProcessOptions, RecordHandler, RecordHandlerContext } from "./consumer.ts";
import { type Lane, Lanes, type Task } from "./lanes.ts";
import type { Reading } from "./reading.ts";
import { bytesOf } from "./record-bytes.ts";
import { TurnClock } from "./turn-clock.ts";

// The pause is any part of the upper half: from 100 ms.
const RETRY_BASE_MS = 200;
const RETRY_MAX_MS = 30_000;

/** How records are processed, checked and complete. */
export interface ResolvedProcessOptions {
  readonly concurrency: number;
  readonly order: "partition" | "key" | "none";
  readonly onError: ProcessOptions["onError"];
  /** The most bytes of records that are handed out and not done. */
  readonly maxBytes: number;
  /** How long a stop waits for handlers that are under way. */
  readonly stopTimeoutMs: number;
}

/** What a processor asks of its consumer. */
export interface ProcessorOwner {
  /** Whose records they are. */
  readonly origin: DiagnosticsOrigin;
  /** Whether the partition is still read by this consumer. */
  isHeld(partition: ConsumedPartition): boolean;
  /** A record is about to be handed out. `false`: it is done already, and is skipped. */
  handsOut(partition: ConsumedPartition, record: LogRecord): boolean;
  /** A record is done. */
  done(partition: ConsumedPartition, record: LogRecord): void;
  /** A handler has ended. */
  settled(): void;
  /** Throws if the consumer may not continue. */
  check(): void;
  /** Whether handlers may be begun: no other process can have taken what is handed out. */
  mayBegin(): boolean;
  /** Resolves when they may be again. */
  whenSure(): Promise<void>;
}

/** Works on the records of a reading, as many at once and in such an order as asked. */
export class RecordProcessor {
  readonly #reading: Reading;
  readonly #handler: RecordHandler;
  readonly #options: ResolvedProcessOptions;
  readonly #owner: ProcessorOwner;
  readonly #handlers = new AbortController();
  readonly #lanes: Lanes;
  readonly #retries = new Map<Lane, NodeJS.Timeout>();
  #running = 0;
  #failure: { readonly error: unknown } | undefined;
  #isStopping = false;
  readonly #failed = Promise.withResolvers<void>();
  readonly #idle = Promise.withResolvers<void>();
  #stopTimer: NodeJS.Timeout | undefined;
  readonly #clock = new TurnClock();
  // Whether something is waited for before the next handler begins.
  #isHeldUp = false;
  // Whether all that there is has been taken.
  #isDraining = false;
  readonly #workingOn = new Map<number, number>();

  constructor(reading: Reading, handler: RecordHandler, options: ResolvedProcessOptions, owner: ProcessorOwner) {
    this.#reading = reading;
    this.#handler = handler;
    this.#options = options;
    this.#owner = owner;
    this.#lanes = new Lanes(options.order, options.maxBytes);
  }

  /** Which records are worked on one after the other. */
  get order(): ResolvedProcessOptions["order"] {
    return this.#options.order;
  }

  /** Whether one more record of a partition may be handed out. */
  hasRoom(partition: ConsumedPartition): boolean {
    return this.#lanes.hasRoom(partition, this.#reading.partitions.size);
  }

  /** Whether a handler works on a record of a partition. */
  isWorkingOn(partition: number): boolean {
    return this.#workingOn.has(partition);
  }

  /** A partition was lost, or reset: what waits for a retry of it holds up nothing that comes after. */
  moved(partition: ConsumedPartition): void {
    for (const [lane, timer] of this.#retries) {
      if (lane.tasks[0]?.partition !== partition) continue;
      clearTimeout(timer);
      this.#again(lane);
    }
  }

  /** Works until the reading ends, an error stops it, or the signal aborts it. Rejects with what stopped it. */
  async run(signal: AbortSignal | undefined): Promise<void> {
    const onAbort = (): void => {
      this.#handlers.abort(signal?.reason);
      this.#idle.resolve();
    };
    const onEnd = (): void => this.#halt();
    signal?.addEventListener("abort", onAbort, { once: true });
    this.#reading.signal.addEventListener("abort", onEnd, { once: true });
    try {
      signal?.throwIfAborted();
      // A failure of the log or of the store, too, waits for what is under way.
      const reading = this.#reading.waitFor(() => this.#fill()).catch((error: unknown) => this.#stop(error));
      // A failed handler does not wait for a store that is away: until it is back nothing is handed out, and reading stands still.
      await Promise.race([reading, this.#failed.promise]);
      signal?.throwIfAborted();
      this.#isDraining = true;
      if (!this.#isIdle) await this.#idle.promise;
      signal?.throwIfAborted();
    } finally {
      signal?.removeEventListener("abort", onAbort);
      this.#reading.signal.removeEventListener("abort", onEnd);
      this.#isStopping = true;
      clearTimeout(this.#stopTimer);
      for (const timer of this.#retries.values()) clearTimeout(timer);
    }
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** Takes what there is room for. Gives `true` when nothing more is to be taken, ever. */
  #fill(): true | undefined {
    if (this.#isStopping) return true;
    for (;;) {
      const partition = this.#reading.nextFilled();
      if (partition === undefined) break;
      const record = partition.take();
      if (record !== undefined && this.#owner.handsOut(partition, record)) {
        const { epoch, era } = partition.progress;
        this.#lanes.add({ partition, record, bytes: bytesOf(record), epoch, era, attempt: 1 });
      }
      this.#reading.taken(partition);
    }
    this.#dispatch();
    return undefined;
  }

  #dispatch(): void {
    if (this.#isStopping) return;
    // Records wait for it: the process stays alive.
    if (!this.#owner.mayBegin()) return this.#dispatchAfter(() => keepingAwake(this.#owner.whenSure()));
    while (this.#running < this.#options.concurrency && !this.#isStopping) {
      // Handlers that never wait would keep timers and sockets waiting.
      if (!this.#clock.hasTime()) return this.#dispatchAfter(() => this.#clock.letOthersRun());
      const lane = this.#lanes.take();
      const task = lane?.tasks[0];
      if (lane === undefined || task === undefined) return;
      this.#running += 1;
      void this.#work(lane, task);
    }
  }

  #dispatchAfter(wait: () => Promise<void>): void {
    if (this.#isHeldUp) return;
    this.#isHeldUp = true;
    void wait().then(() => {
      this.#isHeldUp = false;
      // Nothing is waited for any more: there is no handler to begin, and no timer to set.
      if (this.#isStopping) return this.#settle();
      try {
        this.#owner.check();
        this.#dispatch();
      } catch (error) {
        this.#stop(error);
      }
      this.#settle();
    });
  }

  /** One attempt. Never rejects. */
  async #work(lane: Lane, task: Task): Promise<void> {
    const { record, attempt, partition, epoch, era } = task;
    const { signal } = this.#handlers;
    let retryInMs: number | undefined;
    let isDone = false;
    // Lost, or reset, since it was handed out: it is another's, or of a log that is gone.
    const isStillOurs = (): boolean => this.#owner.isHeld(partition) && partition.progress.era === era;
    let isOurs = isStillOurs();
    this.#workingOn.set(partition.number, (this.#workingOn.get(partition.number) ?? 0) + 1);
    try {
      if (isOurs) await this.#handle(record, { signal, attempt, epoch });
      isDone = true;
    } catch (error) {
      // What fails because the partition is another's by now is theirs to do.
      isOurs = isStillOurs();
      const decision = signal.aborted ? "abort" : isOurs ? await this.#decide(error, task) : "skip";
      // Lost while that was decided: it is not done, and nothing that comes after waits for it.
      if (decision === "retry") isOurs = isStillOurs();
      // A transaction that is committed is not run again, even if a later step failed.
      if (decision === "skip" || !isOurs || (decision === "retry" && partition.progress.isDone(record.offset)))
        isDone = true;
      else if (decision === "retry") retryInMs = backoffMs(attempt - 1, RETRY_BASE_MS, RETRY_MAX_MS);
    }
    this.#running -= 1;
    const working = (this.#workingOn.get(partition.number) ?? 1) - 1;
    if (working === 0) this.#workingOn.delete(partition.number);
    else this.#workingOn.set(partition.number, working);
    // One that goes to another is still acknowledged here; what was done before a reset is of no record that there is.
    if (isDone && !signal.aborted) this.#finished(lane, task, isOurs && partition.progress.era === era);
    else if (retryInMs !== undefined && !this.#isStopping) this.#retryLater(lane, task, retryInMs);
    this.#owner.settled();
    this.#dispatch();
    this.#settle();
  }

  #handle(record: LogRecord, context: RecordHandlerContext): unknown {
    const { attempt, epoch } = context;
    return traced(
      "tidemark:process",
      () => this.#handler(record, context),
      () => ({ ...this.#owner.origin, record, attempt, epoch }),
    );
  }

  async #decide(error: unknown, { record, attempt }: Task): Promise<"retry" | "skip" | "stop"> {
    try {
      const decision: unknown = await this.#options.onError?.(error, record, attempt);
      if (decision === "retry" || decision === "skip") return decision;
      if (decision !== undefined && decision !== "stop") {
        throw new TypeError(`onError must return "retry", "skip" or "stop", not ${JSON.stringify(decision)}`, {
          cause: error,
        });
      }
      this.#stop(error);
    } catch (other) {
      this.#stop(other);
    }
    return "stop";
  }

  #finished(lane: Lane, { partition, record }: Task, isOurs: boolean): void {
    const hasRoom = this.#lanes.done(lane);
    try {
      if (isOurs) this.#owner.done(partition, record);
    } catch (error) {
      // A session that was fenced, or closed, takes no more.
      this.#stop(error);
    }
    // In the order in which they were put aside, its own among them.
    if (hasRoom) this.#reading.resumeAll();
    else this.#reading.resume(partition);
    this.#reading.wake();
  }

  #retryLater(lane: Lane, task: Task, retryInMs: number): void {
    task.attempt += 1;
    this.#retries.set(
      lane,
      setTimeout(() => this.#again(lane), retryInMs),
    );
  }

  #again(lane: Lane): void {
    this.#retries.delete(lane);
    this.#lanes.again(lane);
    this.#dispatch();
    this.#settle();
  }

  /** The caller gets the first reason to stop. */
  #stop(error: unknown): void {
    this.#failure ??= { error };
    this.#failed.resolve();
    this.#halt();
  }

  /** Nothing new is begun; what is under way is waited for, but not forever. */
  #halt(): void {
    this.#isStopping = true;
    this.#stopTimer ??= setTimeout(this.#idle.resolve, this.#options.stopTimeoutMs);
    this.#reading.wake();
    this.#settle();
  }

  get #isIdle(): boolean {
    return this.#handlers.signal.aborted || (this.#running === 0 && (this.#isStopping || this.#lanes.isEmpty));
  }

  #settle(): void {
    if (this.#isIdle && (this.#isStopping || this.#isDraining)) this.#idle.resolve();
  }
}
