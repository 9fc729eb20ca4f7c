import {
  type Consumer,
  type ConsumerEvent,
  type ConsumerOptions,
  createConsumer,
  type LogRecord,
  type OffsetResetPolicy,
} from "@tidemark/core";
import { onTestFinished, vi } from "vitest";
import { CONSUMER, type WatchedStore } from "./watched-store.ts";

type EventOf<Type> = Extract<ConsumerEvent, { readonly type: Type }>;

/** A consumer whose events are kept. */
export interface ObservedConsumer {
  readonly consumer: Consumer;
  readonly events: readonly ConsumerEvent[];
  readonly resets: () => EventOf<"reset">[];
  /** Waits for the nth reset. */
  reset(number: number): Promise<EventOf<"reset">>;
}

/** Opens one that is closed with the test, and writes nothing by time. */
export async function openConsumer(
  options: Partial<ConsumerOptions> & Pick<ConsumerOptions, "source" | "topic">,
  watched: WatchedStore,
): Promise<ObservedConsumer> {
  const events: ConsumerEvent[] = [];
  const { store } = watched;
  const onEvent = (event: ConsumerEvent): void => void events.push(event);
  const consumer = await createConsumer({ store, consumer: CONSUMER, flushInterval: 600_000, onEvent, ...options });
  onTestFinished(() => consumer.close().catch(() => undefined));
  const resets = (): EventOf<"reset">[] => events.filter((event) => event.type === "reset");
  return {
    consumer,
    events,
    resets,
    reset: (number) => vi.waitUntil(() => resets()[number - 1], { timeout: 20_000, interval: 5 }),
  };
}

/** Takes some records, then leaves the loop; gives their offsets. */
export async function take(consumer: AsyncIterable<LogRecord>, count: number): Promise<bigint[]> {
  const offsets: bigint[] = [];
  for await (const { offset } of consumer) {
    offsets.push(offset);
    if (offsets.length === count) break;
  }
  return offsets;
}

/** A policy that remembers what it was told. */
export function listening(timestamp: number): {
  readonly policy: OffsetResetPolicy;
  readonly told: (readonly [reason: string, requested: bigint, lastOffsetFetched: bigint])[];
  readonly adjusted: (readonly [lastOffsetFetched: bigint, nextOffsetToFetch: bigint])[];
} {
  const told: [string, bigint, bigint][] = [];
  const adjusted: [bigint, bigint][] = [];
  const policy: OffsetResetPolicy = {
    name: "listening",
    timestamp: ({ reason, requested, lastOffsetFetched }) => {
      told.push([reason, requested, lastOffsetFetched]);
      return timestamp;
    },
    adjustOffset: (last, next) => {
      adjusted.push([last, next]);
      return next;
    },
  };
  return { policy, told, adjusted };
}
