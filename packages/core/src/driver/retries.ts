import type { OffsetStoreError } from "../errors/offset-store-error.ts";
import { backoffMs, type BoundedCall, delay } from "./deadline.ts";

const MAX_ATTEMPTS = 3;
const RETRY_BASE_MS = 20;
const RETRY_MAX_MS = 1_000;
const CONFLICT_BASE_MS = 1;
const CONFLICT_MAX_MS = 50;

/** How often one call has been tried, and when it is tried again. */
export class Retries {
  readonly #call: BoundedCall<never>;
  readonly #onRetry: (attempt: number, error: OffsetStoreError) => void;
  #failures = 0;
  #conflicts = 0;

  constructor(call: BoundedCall<never>, onRetry: (attempt: number, error: OffsetStoreError) => void) {
    this.#call = call;
    this.#onRetry = onRetry;
  }

  /** Waits before the next attempt after a failure; throws the failure if there is none to come. */
  async afterFailure(error: OffsetStoreError): Promise<void> {
    this.#failures += 1;
    if (!error.retryable || this.#failures >= MAX_ATTEMPTS) throw error;
    this.#onRetry(this.#failures, error);
    await delay(backoffMs(this.#failures - 1, RETRY_BASE_MS, RETRY_MAX_MS), this.#call.signal);
  }

  /** Waits before the next attempt after a conflict: not at first, and as often as the time allows. */
  async afterConflict(): Promise<void> {
    this.#conflicts += 1;
    if (this.#conflicts === 1) return;
    await delay(backoffMs(this.#conflicts - 2, CONFLICT_BASE_MS, CONFLICT_MAX_MS), this.#call.signal);
  }
}
