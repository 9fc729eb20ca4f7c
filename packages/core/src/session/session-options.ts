import { hostname } from "node:os";
import { validateChoice, validateMethods, validateName, validatePartition, validateTtl } from "../driver/validation.ts";
import type { SharingMode } from "../member.ts";
import type { OffsetStore } from "../offset-store.ts";
import type { OffsetSessionOptions } from "./offset-session.ts";
import { MAX_TIMER_MS } from "../max-timer.ts";

const DEFAULT_FLUSH_INTERVAL_MS = 3_000;
const DEFAULT_MAX_UNFLUSHED_AGE_MS = 60_000;
const DEFAULT_RENEW_INTERVAL_MS = 30_000;
const DEFAULT_LEASE_MS = 10_000;
const MIN_LEASE_MS = 1_000;
const MAX_LEASE_MS = 600_000;
// The store's clock has to distinguish a heartbeat from the one before.
const STEPS_PER_LEASE = 3;
const DEFAULT_REVOKE_TIMEOUT_MS = 60_000;

/** The options that a session and a consumer share. */
export const SHARED_OPTION_NAMES = [
  ...["store", "consumer", "topic", "partitions", "flushInterval", "ttl", "owner", "renewInterval"],
  ...["maxUnflushedAge", "onFenced", "onEvent", "signal", "sharing", "lease", "instance", "revokeTimeout"],
];

/** A session's options, checked and complete. */
export interface ResolvedSessionOptions {
  readonly flushInterval: number;
  readonly ttl: number | null | undefined;
  readonly owner: string;
  readonly renewInterval: number | undefined;
  readonly maxUnflushedAge: number;
  readonly onFenced: "stop" | "continue";
  readonly sharing: SharingMode;
  readonly leaseMs: number;
  readonly instance: string | undefined;
  readonly revokeTimeout: number;
}

/** Checks the options that a session and a consumer share, and fills in the defaults. */
export function resolveSessionOptions(
  options: Omit<
    OffsetSessionOptions,
    "store" | "consumer" | "topic" | "partitions" | "onAssigned" | "onRevoked" | "onEvent" | "signal"
  >,
  {
    sharing: defaultSharing,
    store,
  }: { readonly sharing: SharingMode; readonly store: Pick<OffsetStore, "capabilities"> | undefined },
): ResolvedSessionOptions {
  const {
    sharing = defaultSharing,
    instance,
    revokeTimeout = DEFAULT_REVOKE_TIMEOUT_MS,
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
  validateChoice("sharing", sharing, ["balanced", "standby", "takeover"]);
  if (options.onFenced !== undefined && sharing !== "takeover") {
    throw new TypeError(
      `onFenced needs sharing "takeover": with "${sharing}" a lost partition is the event "revoked", and is claimed again`,
    );
  }
  if (instance !== undefined) validateName("instance", instance);
  validateDuration("revokeTimeout", revokeTimeout, 0);
  const leaseMs = resolveLease(options.lease, store, sharing === "takeover" ? undefined : ttl, renewInterval);
  return {
    ...{ flushInterval, ttl, owner, renewInterval, maxUnflushedAge, onFenced },
    ...{ sharing, leaseMs, instance, revokeTimeout },
  };
}

/** Milliseconds after which an idle claim is checked. */
export function renewIntervalOf(ttl: number | undefined, renewInterval: number | undefined): number {
  return renewInterval ?? Math.min(DEFAULT_RENEW_INTERVAL_MS, (ttl ?? Number.POSITIVE_INFINITY) / 3);
}

function resolveLease(
  lease: unknown,
  store: Pick<OffsetStore, "capabilities"> | undefined,
  ttl: number | null | undefined,
  renewInterval: number | undefined,
): number {
  const least = Math.max(MIN_LEASE_MS, (store?.capabilities.expiry.granularityMs ?? 0) * STEPS_PER_LEASE);
  const longest = typeof ttl === "number" ? longestLeaseMs(ttl, renewInterval) : MAX_LEASE_MS;
  const most = Math.max(least, Math.min(longest, MAX_LEASE_MS));
  if (lease === undefined) return Math.min(store?.capabilities.leaseMs ?? DEFAULT_LEASE_MS, most);
  validateDuration("lease", lease, 0);
  if (lease < least || lease > MAX_LEASE_MS)
    throw new RangeError(`lease must be from ${least} to ${MAX_LEASE_MS} ms, not ${lease}`);
  if (lease > most) {
    throw new RangeError(
      `lease must be at most ${most} ms with a ttl of ${ttl} ms, not ${lease}: positions would expire before others claim them`,
    );
  }
  return lease;
}

/**
 * With a lease up to this others claim a partition before its position expires: at the latest two leases after the last heartbeat,
 * and the last renewal may be a `renewInterval` older.
 */
function longestLeaseMs(ttl: number, renewInterval: number | undefined): number {
  return Math.floor(Math.min(ttl / 3, (ttl - renewIntervalOf(ttl, renewInterval)) / 2));
}

/** Checks that an option is a store. */
export function validateStore(store: unknown): void {
  validateMethods("store", store, "an OffsetStore", [
    "claim",
    "commit",
    "fetch",
    "heartbeat",
    "leave",
    "members",
    "close",
  ]);
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
