import type { LogUrlOptions } from "../url-opener.ts";
import { validateContractVersion } from "../contract-version.ts";
import { emitter } from "../emitter.ts";
import type { OffsetStoreError, OffsetStoreOperation } from "../errors/offset-store-error.ts";
import { describe, validateFunction, validateKnownOptions, validateName, validateTimeout } from "./validation.ts";

/** A call failed and is tried again. */
export interface OffsetStoreRetryEvent {
  readonly type: "retry";
  readonly store: string;
  readonly operation: OffsetStoreOperation;
  readonly attempt: number;
  readonly error: OffsetStoreError;
}

/** Positions are kept, but less safely than one would think: something in the backend's settings, found when opening. */
export interface OffsetStoreWarningEvent {
  readonly type: "warning";
  readonly store: string;
  /** What is wrong and what to do, as a sentence; never a secret. */
  readonly message: string;
}

/** What a store reports to `onEvent`. */
export type OffsetStoreEvent = OffsetStoreRetryEvent | OffsetStoreWarningEvent;

/** What every store takes. */
export interface OffsetStoreOptions {
  /** Keeps two log clusters in one backend apart. 1 to 255 UTF-8 bytes. Default `tidemark`. */
  readonly namespace?: string | undefined;
  /** Milliseconds after which a call ends with `TIMEOUT`, a whole number. Default 10,000. */
  readonly timeout?: number | undefined;
  /** Is called for retries and warnings. Without it, a warning goes to `process.emitWarning`. */
  readonly onEvent?: ((event: OffsetStoreEvent) => void) | undefined;
}

/** The namespace of a store that is opened without one. */
export const DEFAULT_NAMESPACE = "tidemark";
const DEFAULT_TIMEOUT_MS = 10_000;

/**
 * Checks the options that every store takes, and fills in the defaults. Called before any I/O, so that a store which this
 * package no longer fits is refused there.
 *
 * @param contractVersion - What the store was written for, as in its driver. Default 1, the only one so far.
 * @throws TypeError or RangeError
 */
export function resolveStoreOptions(
  options: OffsetStoreOptions,
  contractVersion?: number,
): { namespace: string; timeout: number } {
  validateContractVersion("this store", contractVersion);
  const { namespace = DEFAULT_NAMESPACE, timeout = DEFAULT_TIMEOUT_MS, onEvent } = options;
  validateFunction("onEvent", onEvent);
  validateName("namespace", namespace);
  validateTimeout("timeout", timeout);
  return { namespace, timeout };
}

/**
 * Checks that there are no options but those that every store takes and these: a misspelt one would be ignored in silence.
 *
 * @throws TypeError if there are, or if `options` is no object.
 */
export function validateOptionNames<Options extends OffsetStoreOptions>(
  options: Options,
  names: readonly (string & keyof Options)[],
): void {
  validateKnownOptions(options, [...names, "namespace", "timeout", "onEvent"]);
}

/**
 * The same for a log: no options but these.
 *
 * @param contractVersion - What the log was written for. Default 1, the only one so far.
 */
export function validateLogOptionNames<Options extends object>(
  options: Options,
  names: readonly (string & keyof Options)[],
  contractVersion?: number,
): void {
  validateContractVersion("this log", contractVersion);
  validateKnownOptions(options, names);
}

/**
 * Checks what a log is opened by URL with, and fills in the defaults.
 *
 * @throws TypeError
 */
export function resolveLogUrlOptions(options: LogUrlOptions): {
  readonly settings: Readonly<Record<string, unknown>>;
  readonly folder: string;
} {
  validateKnownOptions(options, ["settings", "folder"]);
  const { settings = {}, folder = process.cwd() } = options;
  if (typeof settings !== "object" || settings === null) {
    throw new TypeError(`settings must be an object, not ${describe(settings)}`);
  }
  if (typeof folder !== "string") throw new TypeError(`folder must be a path, not ${describe(folder)}`);
  return { settings, folder };
}

/** Passes a warning to the listener, or makes it a process warning if there is none. */
export function warnOfStore(options: OffsetStoreOptions, store: string, message: string): void {
  if (options.onEvent === undefined) process.emitWarning(`${store} store: ${message}`, "TidemarkWarning");
  else emitter(options.onEvent)({ type: "warning", store, message });
}
