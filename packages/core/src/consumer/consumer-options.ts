import { validateContractOfStore } from "../contract-version.ts";
import {
  describe,
  validateKnownOptions,
  validateMethods,
  validateName,
  validateOffset,
  validateSignal,
  validateWholeNumber,
} from "../driver/validation.ts";
import { LATEST_TIMESTAMP } from "../log-source.ts";
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
import type { ConsumerOptions, StartPosition } from "./consumer.ts";

const DEFAULT_MAX_BYTES = 1024 * 1024;
const DEFAULT_MAX_BUFFERED_BYTES = 64 * 1024 * 1024;
const DEFAULT_MAX_WAIT_MS = 5_000;
const DEFAULT_PARTITION_REFRESH_INTERVAL_MS = 60_000;

const OPTION_NAMES = [
  ...SHARED_OPTION_NAMES,
  ...[
    "source",
    "start",
    "resetPolicy",
    "maxBytes",
    "maxBufferedBytes",
    "maxWait",
    "partitionRefreshInterval",
    "untilEnd",
  ],
];

/** Where to begin, checked: policies are loaded, dates are milliseconds. */
export type ResolvedStart =
  | { readonly kind: "policy"; readonly policy: OffsetResetPolicy }
  | { readonly kind: "offset"; readonly offset: bigint }
  | { readonly kind: "timestamp"; readonly timestampMs: number }
  | { readonly kind: "from-beginning" | "from-end"; readonly records: bigint };

/** A consumer's options, checked and complete. */
export interface ResolvedConsumerOptions {
  readonly topic: string;
  readonly consumer: string | undefined;
  readonly partitions: readonly number[] | undefined;
  readonly start: ResolvedStart;
  readonly resetPolicy: OffsetResetPolicy;
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
  const session = resolveSessionOptions({ ...options, strategy });
  const chosen = partitions === undefined ? undefined : validatePartitions(partitions);
  const resetPolicy = await resolveOffsetResetPolicy(options.resetPolicy);
  const start = await resolveStart(options.start, resetPolicy);
  return {
    topic,
    consumer,
    partitions: chosen,
    start,
    resetPolicy,
    session,
    maxBytes,
    maxBufferedBytes,
    maxWait,
    partitionRefreshInterval,
    untilEnd,
  };
}

async function resolveStart(start: StartPosition | undefined, resetPolicy: OffsetResetPolicy): Promise<ResolvedStart> {
  if (start === undefined) return { kind: "policy", policy: resetPolicy };
  if (typeof start === "bigint") {
    validateOffset("start", start);
    return { kind: "offset", offset: start };
  }
  if (start instanceof Date) {
    const timestampMs = start.getTime();
    if (Number.isNaN(timestampMs)) throw new TypeError("start is an invalid Date");
    // Before 1970 every record is late enough; negative timestamps mean something else to ListOffsets.
    return { kind: "timestamp", timestampMs: Math.max(0, timestampMs) };
  }
  if (typeof start === "object" && start !== null && !("timestamp" in start)) return resolveCount(start);
  if (typeof start !== "string" && (typeof start !== "object" || start === null)) {
    throw new TypeError(`start must be ${START_KINDS}, not ${describe(start)}`);
  }
  return { kind: "policy", policy: await resolveOffsetResetPolicy(start) };
}

const START_KINDS = "a reset policy or its name, a bigint, a Date, { fromBeginning: records } or { fromEnd: records }";

function resolveCount(start: object): ResolvedStart {
  const [name, ...others] = Object.keys(start);
  if (others.length > 0 || (name !== "fromBeginning" && name !== "fromEnd")) {
    throw new TypeError(
      `start must be ${START_KINDS}, not an object with ${Object.keys(start).join(", ") || "no field"}`,
    );
  }
  const records = countOf(name, (start as Record<string, unknown>)[name]);
  return { kind: name === "fromBeginning" ? "from-beginning" : "from-end", records };
}

function countOf(what: string, value: unknown): bigint {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number of records`);
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new RangeError(`${what} must be a whole number of records from 0, not ${value}`);
  }
  return BigInt(value);
}

/** What ListOffsets is asked for on behalf of a start that is no policy. */
export function timestampOf(start: ResolvedStart): number {
  return start.kind === "timestamp" ? start.timestampMs : LATEST_TIMESTAMP;
}
