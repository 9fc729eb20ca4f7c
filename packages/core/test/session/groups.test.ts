import { type OffsetSession, type OffsetSessionOptions, type OffsetStore, openOffsetSession } from "@tidemark/core";
import { createMemoryBackend, createMemoryStore, type MemoryBackend } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { setTimeout as pause } from "node:timers/promises";
import { eventually } from "./eventually.ts";

const LEASE_MS = 1_000;

/** A store that counts what is asked of it. */
function countingStore(backend: MemoryBackend, calls: Map<string, number>): OffsetStore {
  const inner = createMemoryStore({ backend });
  return new Proxy(inner, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return (...call: unknown[]): unknown => {
        calls.set(String(property), (calls.get(String(property)) ?? 0) + 1);
        return Reflect.apply(value as (...all: unknown[]) => unknown, target, call);
      };
    },
  });
}

class BalancedGroup implements AsyncDisposable {
  readonly calls = new Map<string, number>();
  readonly sessions: OffsetSession[] = [];
  /** How often a partition came to somebody. */
  readonly moves = new Map<number, number>();
  readonly #backend = createMemoryBackend();
  readonly #partitions: readonly number[];

  constructor(partitions: number) {
    this.#partitions = Array.from({ length: partitions }, (_, partition) => partition);
  }

  async join(options: Partial<OffsetSessionOptions> = {}): Promise<OffsetSession> {
    const session = await openOffsetSession({
      ...{ store: countingStore(this.#backend, this.calls), consumer: "c1", topic: "orders" },
      ...{ partitions: this.#partitions, sharing: "balanced", lease: LEASE_MS },
      onAssigned: (partitions) => {
        for (const partition of partitions) this.moves.set(partition, (this.moves.get(partition) ?? 0) + 1);
      },
      ...options,
    });
    this.sessions.push(session);
    return session;
  }

  get shares(): number[] {
    return this.sessions.map(({ partitions }) => partitions.length).toSorted((a, b) => a - b);
  }

  get moved(): number {
    return [...this.moves.values()].reduce((sum, count) => sum + count, 0);
  }

  get total(): number {
    return this.shares.reduce((sum, count) => sum + count, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.sessions.map((session) => session.close()));
  }
}

test("50 members that begin at once divide 1,000 partitions evenly, and then nothing moves (contract 8.7)", async () => {
  await using group = new BalancedGroup(1_000);
  await Promise.all(Array.from({ length: 50 }, () => group.join()));
  await eventually(() => group.total === 1_000 && group.shares.every((share) => share === 20), 30 * LEASE_MS);
  const { moved } = group;
  // Nobody need hold any partition twice: most of them move once, from whoever came first.
  expect(moved).toBeLessThan(2_500);
  // Nobody is short: nobody reads or claims a partition. A machine that stands still for most of a lease makes members look.
  const isQuiet = async (): Promise<boolean> => {
    group.calls.clear();
    await pause(3 * LEASE_MS);
    return ["fetch", "claim"].every((call) => (group.calls.get(call) ?? 0) === 0);
  };
  let attempts = 5;
  while (!(await isQuiet())) expect((attempts -= 1)).toBeGreaterThan(0);
  expect(group.moved).toBe(moved);
});

test("one that joins ten takes its share and no more is moved; one that closes leaves its share to the others (contract 8.7)", async () => {
  await using group = new BalancedGroup(110);
  await Promise.all(Array.from({ length: 10 }, () => group.join()));
  await eventually(() => group.total === 110 && group.shares.every((share) => share === 11), 20 * LEASE_MS);
  const before = group.moved;
  await group.join();
  await eventually(() => group.shares.every((share) => share === 10), 20 * LEASE_MS);
  expect(group.moved - before).toBe(10);
  const [first] = group.sessions.splice(0, 1);
  await first?.close();
  await eventually(() => group.shares.every((share) => share === 11), 20 * LEASE_MS);
  expect(group.moved - before).toBe(20);
});

test("a rolling deploy by clean stops moves each partition at most twice (contract 8.7)", async () => {
  await using group = new BalancedGroup(12);
  const old = await Promise.all(Array.from({ length: 3 }, () => group.join()));
  await eventually(() => group.shares.every((share) => share === 4), 20 * LEASE_MS);
  group.moves.clear();
  for (const session of old) {
    await group.join();
    await eventually(() => group.total === 12 && (group.shares[0] ?? 0) >= 3, 20 * LEASE_MS);
    group.sessions.splice(group.sessions.indexOf(session), 1);
    await session.close();
    await eventually(() => group.total === 12 && (group.shares[0] ?? 0) >= 4, 20 * LEASE_MS);
  }
  // Each stop can move what it had, and each start what it took: never the same partition time and again.
  expect(group.moved).toBeLessThanOrEqual(24);
});

test("members of other modes, leases and partition counts: the living are never robbed (contract 8.6, 8.7)", async () => {
  await using group = new BalancedGroup(4);
  const standby = await group.join({ sharing: "standby", partitions: [0, 1], lease: 2_000 });
  const balanced = await group.join({ partitions: [0, 1, 2, 3, 4, 5] });
  expect(standby.partitions).toEqual([0, 1]);
  await eventually(() => balanced.partitions.length === 4, 20 * LEASE_MS);
  const another = await group.join();
  await eventually(() => another.partitions.length > 0, 20 * LEASE_MS);
  await pause(2 * LEASE_MS);
  expect(standby.partitions).toEqual([0, 1]);
  expect(new Set([...balanced.partitions, ...another.partitions]).size).toBe(
    balanced.partitions.length + another.partitions.length,
  );
});
