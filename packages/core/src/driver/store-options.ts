import type { OffsetStoreError, OffsetStoreOperation } from "../errors/offset-store-error.ts";
import { validateName, validateWholeNumber } from "./validation.ts";

/** What is worth telling of a store's work, beside its answers. */
export interface OffsetStoreEvent {
  /** A call failed and is tried again. */
  readonly type: "retry";
  readonly store: string;
  readonly operation: OffsetStoreOperation;
  readonly attempt: number;
  readonly error: OffsetStoreError;
}

/** What every store takes. */
export interface OffsetStoreOptions {
  /** Keeps two log clusters in one backend apart. 1 to 255 UTF-8 bytes. Default `tidemark`. */
  readonly namespace?: string | undefined;
  /** Milliseconds after which a call ends with `TIMEOUT`, a whole number. Default 10,000. */
  readonly timeout?: number | undefined;
  /** Hears what is worth telling. */
  readonly onEvent?: ((event: OffsetStoreEvent) => void) | undefined;
}

/** The namespace of a store that is opened without one. */
export const DEFAULT_NAMESPACE = "tidemark";
const DEFAULT_TIMEOUT_MS = 10_000;
/** What Node's timers can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** Checks the options that every store takes, and fills in the defaults. */
export function resolveStoreOptions(options: OffsetStoreOptions): { namespace: string; timeout: number } {
  const { namespace = DEFAULT_NAMESPACE, timeout = DEFAULT_TIMEOUT_MS } = options;
  validateName("namespace", namespace);
  validateWholeNumber("timeout", timeout, 1, MAX_TIMEOUT_MS);
  return { namespace, timeout };
}
