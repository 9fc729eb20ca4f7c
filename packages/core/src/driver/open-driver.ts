import { OffsetStoreError } from "../errors/offset-store-error.ts";
import type { ErrorClassification } from "./driver.ts";

/** What opening a driver needs beside the work itself. */
export interface OpeningOptions {
  /** The kind of store, for the errors, for example `"sqlite"`. */
  readonly store: string;
  /** Milliseconds without an answer after which opening ends. */
  readonly timeout: number;
  /** Says what an error of the backend means, as the driver's own. */
  readonly classify: (error: unknown) => ErrorClassification;
  /** What is known of a backend that did not answer in time, where that is more than that. */
  readonly whenLate?: (() => (ErrorClassification & { readonly cause?: unknown }) | undefined) | undefined;
  /** Gives back what was opened until then, after a failure. */
  readonly release: () => Promise<void> | void;
}

/**
 * Bounds the opening of a store in time (opening that takes many requests calls `answered` after each), also where the backend's client heeds no signal, and gives its failure the form of
 * every store: an `OffsetStoreError` of the operation `open` that says what to do. Wrong arguments pass as they are.
 */
export async function openDriver<Opened>(
  { store, timeout, classify, whenLate, release }: OpeningOptions,
  open: (signal: AbortSignal, answered: () => void) => Promise<Opened>,
): Promise<Opened> {
  const controller = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new OpeningTimeout());
    controller.abort();
  }, timeout);
  try {
    const opening = open(controller.signal, () => timer.refresh());
    // The result of an opening that takes longer is ignored.
    opening.catch(() => undefined);
    return await Promise.race([opening, late.promise]);
  } catch (error) {
    try {
      await release();
    } catch {
      // What went wrong first matters more.
    }
    if (error instanceof TypeError || error instanceof RangeError || error instanceof OffsetStoreError) throw error;
    const unanswered = { code: "TIMEOUT", retryable: true, message: `no answer within ${timeout} ms` } as const;
    const known = error instanceof OpeningTimeout ? (whenLate?.() ?? unanswered) : { ...classify(error), cause: error };
    const { code, retryable, message } = known;
    const cause = "cause" in known ? known.cause : undefined;
    throw new OffsetStoreError(`${store} store: open failed: ${message}`, {
      ...{ code, retryable, operation: "open", store },
      ...(cause !== undefined && { cause }),
    });
  } finally {
    clearTimeout(timer);
  }
}

class OpeningTimeout extends Error {
  override readonly name = "OpeningTimeout";
}
