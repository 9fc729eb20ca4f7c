import { validateContractOfStore } from "../contract-version.ts";
import {
  describe,
  validateChoice,
  validateKnownOptions,
  validateMethods,
  validateName,
  validateSignal,
  validateWholeNumber,
} from "../driver/validation.ts";
import type { OffsetResetPolicy } from "../offset-reset-policy.ts";
import { resolveOffsetResetPolicy } from "../reset/resolve-offset-reset-policy.ts";
import {
  type ResolvedSessionOptions,
  resolveSessionOptions,
  SHARED_OPTION_NAMES,
  validateDuration,
  validatePartitions,
  validateStore,
} from "../session/session-options.ts";
import type { BatchOptions } from "./batch-collector.ts";
import type { BatchesOptions, CommitStrategy, ConsumerOptions, ProcessOptions } from "./consumer.ts";
import type { ResolvedProcessOptions } from "./record-processor.ts";
import { type ResolvedStart, resolveStart } from "./start-position.ts";

const DEFAULT_MAX_BYTES = 1024 * 1024;
const DEFAULT_MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
const DEFAULT_CONCURRENCY = 10;
const DEFAULT_MAX_RECORDS = 500;
const DEFAULT_MAX_WAIT_MS = 5_000;
const DEFAULT_PARTITION_REFRESH_INTERVAL_MS = 60_000;

const OPTION_NAMES = [
  ...SHARED_OPTION_NAMES,
  ...[
    "source",
    "strategy",
    "start",
    "resetPolicy",
    "maxBytes",
    "maxBufferedBytes",
    "maxWait",
    "partitionRefreshInterval",
    "untilEnd",
  ],
];

/** A consumer's options, checked and complete. */
export interface ResolvedConsumerOptions {
  readonly topic: string;
  readonly consumer: string | undefined;
  readonly partitions: readonly number[] | undefined;
  readonly start: ResolvedStart;
  readonly resetPolicy: OffsetResetPolicy;
  readonly strategy: CommitStrategy;
  readonly session: ResolvedSessionOptions;
  readonly maxBytes: number;
  readonly maxBufferedBytes: number;
  readonly maxWait: number;
  readonly partitionRefreshInterval: number;
  readonly untilEnd: boolean;
}

/** Checks every option of a consumer, policy modules included, and fills in the defaults. */
export async function resolveConsumerOptions<Transaction>(
  options: ConsumerOptions<Transaction>,
): Promise<ResolvedConsumerOptions> {
  validateKnownOptions(options, OPTION_NAMES);
  const {
    source,
    store,
    topic,
    consumer,
    partitions,
    maxBytes = DEFAULT_MAX_BYTES,
    maxBufferedBytes = DEFAULT_MAX_BUFFERED_BYTES,
    maxWait = DEFAULT_MAX_WAIT_MS,
    partitionRefreshInterval = DEFAULT_PARTITION_REFRESH_INTERVAL_MS,
    untilEnd = false,
  } = options;
  validateMethods("source", source, "a LogSource", ["partitions", "fetch", "listOffsets", "close"]);
  if (store !== undefined) validateStore(store);
  validateSignal(options.signal);
  if (typeof untilEnd !== "boolean") throw new TypeError(`untilEnd must be a boolean, not ${describe(untilEnd)}`);
  validateContractOfStore(store);
  validateName("topic", topic);
  if (consumer !== undefined) validateName("consumer", consumer);
  if (consumer !== undefined && store === undefined) {
    throw new TypeError(`consumer ${JSON.stringify(consumer)} needs a store to keep its position in`);
  }
  if (consumer === undefined && store !== undefined) {
    throw new TypeError("a store keeps positions by the consumer's name: give consumer too");
  }
  const strategy = options.strategy ?? (consumer === undefined ? "none" : "auto");
  if (strategy !== "none" && consumer === undefined) {
    throw new TypeError(`strategy ${JSON.stringify(strategy)} commits positions: give a store and a consumer name`);
  }
  validateWholeNumber("maxBytes", maxBytes, 1, Number.MAX_SAFE_INTEGER);
  validateWholeNumber("maxBufferedBytes", maxBufferedBytes, 1, Number.MAX_SAFE_INTEGER);
  validateDuration("maxWait", maxWait, 0);
  validateDuration("partitionRefreshInterval", partitionRefreshInterval, 1);
  validateChoice("strategy", strategy, ["auto", "manual", "none"]);
  const session = resolveSessionOptions(options, {
    sharing: partitions === undefined ? "balanced" : "standby",
    store,
  });
  const chosen = partitions === undefined ? undefined : validatePartitions(partitions);
  if (chosen !== undefined && session.sharing === "balanced" && consumer !== undefined) {
    throw new TypeError(
      'partitions needs sharing "standby" or "takeover": with "balanced" the members divide all partitions of the topic',
    );
  }
  const resetPolicy = await resolveOffsetResetPolicy(options.resetPolicy);
  const start = await resolveStart(options.start, resetPolicy);
  return {
    topic,
    consumer,
    partitions: chosen,
    start,
    resetPolicy,
    strategy,
    session,
    maxBytes,
    maxBufferedBytes,
    maxWait,
    partitionRefreshInterval,
    untilEnd,
  };
}

/** Checks how batches are to be made, and fills in the defaults. */
export function resolveBatchesOptions(options: BatchesOptions): Omit<BatchOptions, "maxBytes"> {
  validateKnownOptions(options, ["maxRecords", "linger"]);
  const { maxRecords = DEFAULT_MAX_RECORDS, linger = 0 } = options;
  validateWholeNumber("maxRecords", maxRecords, 1, Number.MAX_SAFE_INTEGER);
  validateDuration("linger", linger, 0);
  return { maxRecords, linger };
}

/** Checks how records are to be processed, and fills in the defaults. */
export function resolveProcessOptions(
  handler: unknown,
  options: ProcessOptions,
): Omit<ResolvedProcessOptions, "maxBytes" | "stopTimeoutMs"> {
  if (typeof handler !== "function") throw new TypeError(`handler must be a function, not ${describe(handler)}`);
  validateKnownOptions(options, ["concurrency", "order", "onError"]);
  const { concurrency = DEFAULT_CONCURRENCY, order = "partition", onError } = options;
  validateWholeNumber("concurrency", concurrency, 1, Number.MAX_SAFE_INTEGER);
  validateChoice("order", order, ["partition", "key", "none"]);
  if (onError !== undefined && typeof onError !== "function") {
    throw new TypeError(`onError must be a function, not ${describe(onError)}`);
  }
  return { concurrency, order, onError };
}
