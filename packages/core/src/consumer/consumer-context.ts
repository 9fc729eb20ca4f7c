import type { LogSource } from "../log-source.ts";
import type { OffsetStore } from "../offset-store.ts";
import type { StoreOffsetSession } from "../session/store-offset-session.ts";
import type { ConsumerEvent } from "./consumer.ts";
import type { ResolvedConsumerOptions } from "./consumer-options.ts";

/** What all parts of a consumer work with. */
export interface ConsumerContext<Transaction> {
  readonly source: LogSource;
  readonly store: OffsetStore<Transaction> | undefined;
  readonly options: ResolvedConsumerOptions;
  /** Keeps the positions. `undefined`: they are not kept. */
  readonly session: StoreOffsetSession<Transaction> | undefined;
  readonly emit: (event: ConsumerEvent) => void;
  /** The caller's own. */
  readonly signal: AbortSignal | undefined;
  /** Aborts when the consumer is closed. */
  readonly closed: AbortSignal;
  /** The closing that is under way, or has failed. */
  readonly closing: () => Promise<void> | undefined;
}
