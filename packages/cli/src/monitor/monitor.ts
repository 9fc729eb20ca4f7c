import type { LogSource, OffsetStore } from "@tidemark/core";
import { messageOf } from "../failure/report-failure.ts";
import { createLagHistories, type LagHistory } from "./lag-history.ts";
import { lagOf, observe, type Observation, type ObservedConsumer } from "./observe.ts";
import { createReadingRates } from "./reading-rates.ts";

/** What is watched, and how often. */
export interface MonitorOptions {
  readonly store: OffsetStore;
  /** Called until it has opened the log; then the same one is asked. */
  readonly openLog: () => Promise<LogSource>;
  readonly intervalMs: number;
  /** Ends a look that is under way, also the first. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each look. */
  readonly onObserved?: (() => void) | undefined;
  /** Called at the first failure of the store in a row, and at its end (`undefined`). */
  readonly onStoreFailure: (error: Error | undefined) => void;
}

/** What is known at the moment. */
export interface MonitorState {
  /** The newest. */
  readonly observation: Observation;
  /** Why there is no newer one. */
  readonly failure: string | undefined;
  /** How often the store has been listed. */
  readonly listings: number;
}

/** Watches a store and a log: one look per interval, however many want to know. */
export interface Monitor extends AsyncDisposable {
  readonly intervalMs: number;
  state(): MonitorState;
  /** Records per second. */
  rateOf(consumer: string, topic: string, partition: number): number | undefined;
  historyOf(consumer: string): LagHistory;
}

/** Looks for the first time, and then once per interval. Rejects if the store does not answer the first time. */
export async function startMonitor(options: MonitorOptions): Promise<Monitor> {
  const { store, intervalMs, onStoreFailure } = options;
  const rates = createReadingRates();
  const histories = createLagHistories();
  const controller = new AbortController();
  const signal = AbortSignal.any([controller.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  let log: LogSource | undefined;
  // A look waits for it only so long; the next one waits for the same.
  let opening: Promise<LogSource> | undefined;
  const openLog = async (): Promise<LogSource> => {
    opening ??= options.openLog();
    try {
      return (log = await opening);
    } catch (error) {
      opening = undefined;
      throw error;
    }
  };
  let listings = 0;
  const look = async (): Promise<Observation> => {
    listings += 1;
    const observation = await observe(store, openLog, signal);
    rates.update(observation);
    histories.add(observation.atMs, new Map(observation.consumers.map((each) => [each.name, totalLag(each)])));
    options.onObserved?.();
    return observation;
  };
  const closeLog = async (): Promise<void> => {
    if (log === undefined) void opening?.then((late) => late.close()).catch(() => undefined);
    await log?.close();
  };
  let observation: Observation;
  try {
    observation = await look();
  } catch (error) {
    await closeLog().catch(() => {});
    signal.throwIfAborted();
    throw error;
  }
  let failure: string | undefined;
  let looking: Promise<void> | undefined;
  const timer = setInterval(() => {
    // A store that is slower than the interval is not asked twice at once.
    looking ??= (async () => {
      try {
        observation = await look();
        if (failure !== undefined) onStoreFailure(undefined);
        failure = undefined;
      } catch (error) {
        if (signal.aborted) return;
        if (failure === undefined) onStoreFailure(error instanceof Error ? error : new Error(String(error)));
        failure = messageOf(error);
      } finally {
        looking = undefined;
      }
    })();
  }, intervalMs);
  return {
    intervalMs,
    state: () => ({ observation, failure, listings }),
    rateOf: (consumer, topic, partition) => rates.of(consumer, topic, partition),
    historyOf: (consumer) => histories.of(consumer),
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      controller.abort();
      await looking;
      await closeLog();
    },
  };
}

/** The sum over the positions whose lag is known; `undefined` where none is. */
export function totalLag({ positions }: ObservedConsumer): bigint | undefined {
  let total: bigint | undefined;
  for (const position of positions) {
    const lag = lagOf(position);
    if (lag !== undefined) total = (total ?? 0n) + lag;
  }
  return total;
}

/** How many positions have an offset and no lag: the log did not say where they end. */
export function partitionsWithoutLag({ positions }: ObservedConsumer): number {
  return positions.filter((position) => position.nextOffset !== undefined && lagOf(position) === undefined).length;
}

/** The oldest last sign, a write or a heartbeat, of the positions that have something to read, or may have. */
export function oldestHeardAtMs({ positions }: ObservedConsumer): number | undefined {
  let oldest: number | undefined;
  for (const position of positions) {
    if (lagOf(position) === 0n) continue;
    if (oldest === undefined || position.heardAtMs < oldest) oldest = position.heardAtMs;
  }
  return oldest;
}
