import { hostname } from "node:os";
import { validateChoice, validateMethods, validateName, validatePartition, validateTtl } from "../driver/validation.ts";
import type { OffsetSessionOptions } from "./offset-session.ts";

const DEFAULT_FLUSH_INTERVAL_MS = 3_000;
const DEFAULT_MAX_UNFLUSHED_AGE_MS = 60_000;
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The options that a session and a consumer share. */
export const SHARED_OPTION_NAMES = [
  ...["store", "consumer", "topic", "partitions", "flushInterval", "ttl", "owner", "renewInterval"],
  ...["maxUnflushedAge", "onFenced", "onEvent", "signal"],
];

/** A session's options, checked and complete. */
export interface ResolvedSessionOptions {
  readonly flushInterval: number;
  readonly ttl: number | null | undefined;
  readonly owner: string;
  readonly renewInterval: number | undefined;
  readonly maxUnflushedAge: number;
  readonly onFenced: "stop" | "continue";
}

/** Checks the options that a session and a consumer share, and fills in the defaults. */
export function resolveSessionOptions(
  options: Omit<OffsetSessionOptions, "store" | "consumer" | "topic" | "partitions" | "onEvent" | "signal">,
): ResolvedSessionOptions {
  const {
    flushInterval = DEFAULT_FLUSH_INTERVAL_MS,
    ttl,
    owner = defaultOwner(),
    renewInterval,
    maxUnflushedAge = DEFAULT_MAX_UNFLUSHED_AGE_MS,
    onFenced = "stop",
  } = options;
  validateChoice("onFenced", onFenced, ["stop", "continue"]);
  validateDuration("flushInterval", flushInterval, 0);
  validateDuration("maxUnflushedAge", maxUnflushedAge, 0);
  if (renewInterval !== undefined) validateDuration("renewInterval", renewInterval, 1);
  validateTtl(ttl);
  if (typeof ttl === "number" && renewInterval !== undefined && renewInterval >= ttl) {
    throw new RangeError(
      `renewInterval must be shorter than the ttl of ${ttl} ms, not ${renewInterval}: positions would expire`,
    );
  }
  validateName("owner", owner);
  return { flushInterval, ttl, owner, renewInterval, maxUnflushedAge, onFenced };
}

/** Checks that an option is a store. */
export function validateStore(store: unknown): void {
  validateMethods("store", store, "an OffsetStore", ["claim", "commit", "fetch", "close"]);
}

/** Checks a number of milliseconds that a timer can wait. */
export function validateDuration(what: string, value: unknown, least: number): asserts value is number {
  if (typeof value !== "number") throw new TypeError(`${what} must be a number of milliseconds, not ${typeof value}`);
  if (!(value >= least && value <= MAX_TIMER_MS)) {
    throw new RangeError(`${what} must be from ${least} to ${MAX_TIMER_MS} ms, not ${value}`);
  }
}

/** Checks a list of partitions: not empty, none twice; gives it in ascending order. */
export function validatePartitions(partitions: unknown): number[] {
  if (!Array.isArray(partitions)) throw new TypeError("partitions must be an array of numbers");
  if (partitions.length === 0) throw new TypeError("partitions must not be empty");
  const numbers = partitions.map((partition: unknown) => {
    validatePartition(partition);
    return partition;
  });
  if (new Set(numbers).size !== numbers.length) throw new TypeError("partitions names a partition twice");
  return numbers.toSorted((a, b) => a - b);
}

function defaultOwner(): string {
  const suffix = `:${process.pid}`;
  return `${hostname().slice(0, 200)}${suffix}`;
}
