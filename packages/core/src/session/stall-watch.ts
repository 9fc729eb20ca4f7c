import { abortable } from "../abortable.ts";
import { keepingAwake } from "../keeping-awake.ts";
import type { OffsetSessionEvent } from "./offset-session.ts";
import { MAX_TIMER_MS } from "../max-timer.ts";

/** Says when what is committed has been waiting for too long for a store that hangs or fails. */
export class StallWatch {
  readonly #maxUnflushedAge: number;
  readonly #emit: (event: OffsetSessionEvent) => void;
  #timer: NodeJS.Timeout | undefined;
  #ready: PromiseWithResolvers<void> | undefined;

  constructor(maxUnflushedAge: number, emit: (event: OffsetSessionEvent) => void) {
    this.#maxUnflushedAge = maxUnflushedAge;
    this.#emit = emit;
  }

  get isStalled(): boolean {
    return this.#ready !== undefined;
  }

  /** Resolves when nothing is stalled, or all has ended. */
  async whenReady(signal: AbortSignal | undefined): Promise<void> {
    if (this.#ready === undefined) return;
    await keepingAwake(abortable(this.#ready.promise, signal));
  }

  /** A write begins or has failed; what it says has been waiting since then, by the monotonic clock. */
  watch(since: number): void {
    clearTimeout(this.#timer);
    if (since === Number.POSITIVE_INFINITY || this.isStalled) return;
    const stall = (): void => {
      this.#ready = Promise.withResolvers();
      this.#emit({ type: "stalled", unflushedForMs: Math.round(performance.now() - since) });
    };
    const leftMs = since + this.#maxUnflushedAge - performance.now();
    this.#timer = setTimeout(stall, Math.min(MAX_TIMER_MS, Math.max(0, leftMs)));
    this.#timer.unref();
  }

  /** A write has succeeded. */
  recovered(): void {
    clearTimeout(this.#timer);
    if (this.#ready === undefined) return;
    this.stop();
    this.#emit({ type: "recovered" });
  }

  /** There is nothing more to wait for. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#ready?.resolve();
    this.#ready = undefined;
  }
}
