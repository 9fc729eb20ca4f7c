import { channel, tracingChannel, type TracingChannel } from "node:diagnostics_channel";
import type { ConsumerEvent } from "../consumer/consumer.ts";
import type { LogRecord } from "../log-source.ts";
import type { DiagnosticsCalls, DiagnosticsOrigin } from "./messages.ts";

type CallName = keyof DiagnosticsCalls;

// Kept for good: subscribers know only the name.
const calls: { readonly [Name in CallName]: TracingChannel<unknown, object> } = {
  "tidemark:fetch": tracingChannel("tidemark:fetch"),
  "tidemark:flush": tracingChannel("tidemark:flush"),
  "tidemark:claim": tracingChannel("tidemark:claim"),
  "tidemark:process": tracingChannel("tidemark:process"),
};

/** Where what is handed out is published. Ask for its subscribers first: it costs a message for each record. */
export const deliverChannel = channel("tidemark:deliver");

/** Does a call, and publishes its beginning and its end to subscribers. A subscriber cannot change its result. */
export function traced<Name extends CallName, Result>(
  name: Name,
  call: () => Result | Promise<Result>,
  toMessage: () => DiagnosticsCalls[Name],
): Result | Promise<Result> {
  const tracing = calls[name];
  return tracing.hasSubscribers ? tracing.tracePromise(async () => await call(), toMessage()) : call();
}

/** Publishes records that are handed out. */
export function publishDelivery(origin: DiagnosticsOrigin, partition: number, records: readonly LogRecord[]): void {
  const { consumer, topic } = origin;
  deliverChannel.publish(Object.freeze({ consumer, topic, partition, records: Object.freeze([...records]) }));
}

/** Publishes an event as `onEvent` gets it, with whose it is. */
export function publishEvent({ consumer, topic }: DiagnosticsOrigin, event: ConsumerEvent): void {
  const events = channel(`tidemark:${event.type}`);
  if (events.hasSubscribers) events.publish(Object.freeze({ consumer, topic, ...event }));
}
