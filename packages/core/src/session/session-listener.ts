import { emitter } from "../emitter.ts";
import { OffsetStoreError, type OffsetStoreOperation } from "../errors/offset-store-error.ts";
import type { ConsumerEvent } from "../consumer/consumer.ts";
import { publishEvent } from "../diagnostics/channels.ts";
import type { DiagnosticsOrigin } from "../diagnostics/messages.ts";
import type { OffsetKey } from "../key.ts";
import type { OffsetSessionEvent } from "./offset-session.ts";

/** Codes of a store that refuse the same write later too, unless an operator changes something. */
const FINAL_CODES: ReadonlySet<string> = new Set(["PERMISSION_DENIED", "CORRUPT_RECORD", "UNSUPPORTED", "CLOSED"]);

/** Whether a store refuses for good: waiting does not help, so the commit rejects. */
export function isFinal(error: OffsetStoreError): boolean {
  return !error.retryable && FINAL_CODES.has(error.code);
}

/** A store that was not made by `createOffsetStore` may reject with anything. */
export function unknownError(
  operation: OffsetStoreOperation,
  store: string,
  keys: readonly OffsetKey[],
  cause: unknown,
): OffsetStoreError {
  const message = `${store} store: ${operation} failed: ${cause instanceof Error ? cause.message : String(cause)}`;
  return new OffsetStoreError(message, { code: "UNKNOWN", operation, store, keys, cause });
}

/**
 * What a session or a consumer reports its events to: its listener, and the subscribers of their channels. Without a
 * listener, an event that an operator must act on is a process warning, once.
 */
export function sessionListener<Event extends ConsumerEvent>(
  onEvent: ((event: Event | OffsetSessionEvent) => void) | undefined,
  origin: DiagnosticsOrigin,
): (event: Event | OffsetSessionEvent) => void {
  const hears = onEvent === undefined ? warnOnce() : emitter(onEvent);
  return (event) => {
    publishEvent(origin, event);
    hears(event);
  };
}

function warnOnce(): (event: ConsumerEvent) => void {
  const said = new Set<string>();
  return (event) => {
    const warning = warningOf(event);
    if (warning === undefined || said.has(`${event.type} ${warning.code}`)) return;
    said.add(`${event.type} ${warning.code}`);
    const { text, code } = warning;
    process.emitWarning(`${text}; pass onEvent to handle this event`, { type: "TidemarkWarning", code });
  };
}

interface Warning {
  readonly code: "TIDEMARK_STALLED" | "TIDEMARK_REFUSED";
  readonly text: string;
}

function warningOf(event: ConsumerEvent): Warning | undefined {
  if (event.type === "stalled") {
    const text =
      "positions could not be stored for longer than maxUnflushedAge; no records are delivered until the store accepts writes again";
    return { code: "TIDEMARK_STALLED", text };
  }
  if (event.type !== "heartbeat-failed" && event.type !== "flush-failed") return undefined;
  const { message } = event.error;
  if (isFinal(event.error)) {
    const what = event.type === "flush-failed" ? "positions" : "heartbeats";
    const text = `the store rejects ${what}, and retries cannot succeed until the cause is fixed: ${message}`;
    return { code: "TIDEMARK_REFUSED", text };
  }
  if (event.type === "flush-failed" || !event.leaseExpired) return undefined;
  const text = `the store accepted no heartbeat for a lease; a consumer that shares its topic delivers no records until it accepts one: ${message}`;
  return { code: "TIDEMARK_STALLED", text };
}
