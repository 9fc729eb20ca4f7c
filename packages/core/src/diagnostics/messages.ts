import type { ConsumerEvent, RecordHandlerContext } from "../consumer/consumer.ts";
import type { FetchResult, LogRecord } from "../log-source.ts";
import type { ClaimOutcome, CommitOutcome } from "../offset-store.ts";

/** The consumer and topic of a message on a channel of `node:diagnostics_channel`. */
export interface DiagnosticsOrigin {
  /** The durable name; `undefined`: no position is kept. */
  readonly consumer: string | undefined;
  readonly topic: string;
}

/** `tidemark:deliver`: records are handed out, to a loop, as a batch, or to wait for a handler of `process()`. */
export interface DeliverMessage extends DiagnosticsOrigin {
  readonly partition: number;
  /** At least one; of one partition, in the order of the log. */
  readonly records: readonly LogRecord[];
}

/** What `tracingChannel` adds to the message of a call that has ended. */
export interface TracedEnd<Result> {
  /** Present at `asyncStart` and `asyncEnd`, unless the call failed. */
  readonly result?: Result;
  /** There at `error`, and after it. */
  readonly error?: unknown;
}

/** `tidemark:fetch`: one fetch from the log, which waits up to `maxWait` milliseconds where there is nothing more. */
export interface FetchCall extends DiagnosticsOrigin, TracedEnd<FetchResult> {
  readonly partition: number;
  readonly offset: bigint;
  readonly maxBytes: number;
  readonly maxWait: number;
}

/** `tidemark:flush`: one write of positions into the store. The outcome of each partition is in its `result`. */
export interface FlushCall extends DiagnosticsOrigin, TracedEnd<readonly CommitOutcome[]> {
  readonly consumer: string;
  readonly store: string;
  /** `nextOffset` is `undefined` for a claim that is only renewed or ended. */
  readonly positions: readonly { readonly partition: number; readonly nextOffset: bigint | undefined }[];
}

/** `tidemark:claim`: one call for claims. Those that others hold are in its `result`. */
export interface ClaimCall extends DiagnosticsOrigin, TracedEnd<readonly ClaimOutcome[]> {
  readonly consumer: string;
  readonly store: string;
  readonly partitions: readonly number[];
}

/** `tidemark:process`: one attempt of a handler of `process()` at a record. */
export interface ProcessCall
  extends DiagnosticsOrigin, TracedEnd<unknown>, Pick<RecordHandlerContext, "attempt" | "epoch"> {
  readonly record: LogRecord;
}

/** The calls with a duration, by the name that `tracingChannel` takes. */
export interface DiagnosticsCalls {
  readonly "tidemark:fetch": FetchCall;
  readonly "tidemark:flush": FlushCall;
  readonly "tidemark:claim": ClaimCall;
  readonly "tidemark:process": ProcessCall;
}

/** An event of `onEvent` as a message, with its consumer and topic. */
export type EventMessage<Type extends ConsumerEvent["type"] = ConsumerEvent["type"]> = DiagnosticsOrigin &
  Extract<ConsumerEvent, { readonly type: Type }>;

/** What is published at once, by the name that `subscribe` takes: records that are handed out, and every event of `onEvent`. */
export type DiagnosticsMessages = {
  readonly [Type in ConsumerEvent["type"] as `tidemark:${Type}`]: EventMessage<Type>;
} & {
  readonly "tidemark:deliver": DeliverMessage;
};
