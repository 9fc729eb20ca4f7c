import { type OffsetSessionEvent, openOffsetSession } from "@tidemark/core";
import { createMemoryBackend, createMemoryStore, type MemoryBackend } from "@tidemark/store-memory";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type MemberStore, openMemberStore } from "../consumer/group.ts";
import { EventLog } from "./eventually.ts";

const LEASE_MS = 1_000;
const PARTITIONS = [0, 1, 2, 3];
/** When an outage begins after a flush, in leases: anywhere between two heartbeats and two renewals. */
const PHASES = [0, 0.62, 2.3];
/** When another member is back, in leases: it sends a heartbeat every sixth until one is acknowledged. */
const LATER = [0.05, 0.3];

type Options = Partial<Parameters<typeof openOffsetSession>[0]>;

/** How long the store is away, in leases: members are forgotten after ten. */
const outages = [1.1, 3, 9.4, 11];
const lives = [{}, { ttl: 3_000 }, { ttl: 12_000 }, { ttl: 12_000, renewInterval: 9_000 }] as const;
const cases = lives.flatMap((life) => outages.map((leases) => [leases, life] as const));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

class Member {
  readonly events = new EventLog<OffsetSessionEvent>();
  readonly own: MemberStore;
  readonly opening: ReturnType<typeof openOffsetSession>;

  /** What its next poll waits for, before it asks who the members are. */
  gate: Promise<void> | undefined;

  constructor(backend: MemoryBackend, options: Options) {
    this.own = openMemberStore(backend);
    const { store: own } = this.own;
    const members: typeof own.members = async function* (this: Member, ...call: Parameters<typeof own.members>) {
      await this.gate;
      yield* own.members(...call);
    }.bind(this);
    const store = new Proxy(own, {
      get: (target, property): unknown => (property === "members" ? members : Reflect.get(target, property, target)),
    });
    this.opening = openOffsetSession({
      ...{ store, consumer: "c1", topic: "orders", partitions: PARTITIONS, lease: LEASE_MS },
      ...{ onEvent: this.events.hear, onAssigned: () => undefined },
      ...options,
    });
    this.opening.catch(() => undefined);
  }

  async close(): Promise<void> {
    this.own.isCut = false;
    await (await this.opening).close();
  }
}

async function storedIn(backend: MemoryBackend): Promise<unknown[]> {
  const records = await Array.fromAsync(createMemoryStore({ backend }).list());
  return records.map(({ partition, nextOffset }) => [partition, nextOffset] as const).toSorted(([a], [b]) => a - b);
}

const all = PARTITIONS.map((partition) => [partition, 5n]);

test.each(cases)(
  "an outage of %s leases with %j moves nothing in a group: who is back first waits for the others (contract 5.6, 8.5c)",
  async (leases, life) => {
    for (const phase of PHASES)
      for (const later of LATER) {
        const backend = createMemoryBackend();
        const members = [new Member(backend, { ...life, sharing: "balanced" })];
        await vi.advanceTimersByTimeAsync(LEASE_MS);
        members.push(new Member(backend, { ...life, sharing: "balanced" }));
        await vi.advanceTimersByTimeAsync(10 * LEASE_MS);
        const sessions = await Promise.all(members.map(({ opening }) => opening));
        for (const session of sessions) {
          for (const partition of session.partitions) session.commit({ partition, offset: 4n });
          await session.flush();
        }
        const before = sessions.map(({ partitions }) => partitions);
        expect(before.map(({ length }) => length)).toEqual([2, 2]);
        const moves = members.map(({ events }) => events.of("revoked").length);
        await vi.advanceTimersByTimeAsync(phase * LEASE_MS);
        for (const { own } of members) own.isCut = true;
        await vi.advanceTimersByTimeAsync(leases * LEASE_MS);
        for (const { own } of members) {
          own.isCut = false;
          await vi.advanceTimersByTimeAsync(later * LEASE_MS);
        }
        await vi.advanceTimersByTimeAsync(6 * LEASE_MS);
        const when = `begins at ${phase}, the others are back ${later} later`;
        expect(await storedIn(backend), when).toEqual(all);
        expect(
          sessions.map(({ partitions }) => partitions),
          when,
        ).toEqual(before);
        expect(
          members.map(({ events }) => events.of("revoked").length),
          when,
        ).toEqual(moves);
        for (const member of members) await member.close();
      }
  },
);

test.each(cases)(
  "an outage of %s leases with %j gives one in standby nothing (contract 5.6, 8.5c)",
  async (leases, life) => {
    for (const phase of PHASES)
      for (const later of LATER) {
        const backend = createMemoryBackend();
        const holder = new Member(backend, { ...life, sharing: "standby" });
        const session = await holder.opening;
        for (const partition of PARTITIONS) session.commit({ partition, offset: 4n });
        await session.flush();
        const waiting = new Member(backend, { ...life, sharing: "standby" });
        await vi.advanceTimersByTimeAsync((3 + phase) * LEASE_MS);
        for (const { own } of [holder, waiting]) own.isCut = true;
        await vi.advanceTimersByTimeAsync(leases * LEASE_MS);
        for (const { own } of [waiting, holder]) {
          own.isCut = false;
          await vi.advanceTimersByTimeAsync(later * LEASE_MS);
        }
        await vi.advanceTimersByTimeAsync(6 * LEASE_MS);
        const when = `begins at ${phase}, the holder is back ${later} later`;
        expect(await storedIn(backend), when).toEqual(all);
        expect([session.partitions, holder.events.of("revoked")], when).toEqual([PARTITIONS, []]);
        await holder.close();
        await vi.advanceTimersByTimeAsync(LEASE_MS);
        expect((await waiting.opening).position(3), when).toBe(5n);
        await waiting.close();
      }
  },
);

test("a member that was away for longer than ten leases gets its share as soon as others release it (contract 8.5c, 8.7)", async () => {
  const backend = createMemoryBackend();
  const [first, second] = [new Member(backend, { sharing: "balanced" }), new Member(backend, { sharing: "balanced" })];
  await vi.advanceTimersByTimeAsync(10 * LEASE_MS);
  const sessions = [await first.opening, await second.opening];
  first.own.isCut = true;
  await vi.advanceTimersByTimeAsync(11 * LEASE_MS);
  expect(sessions[1]?.partitions).toEqual(PARTITIONS);
  first.own.isCut = false;
  // A heartbeat, the other's poll and its own: all within the lease in which it claims nothing that is not released.
  await vi.advanceTimersByTimeAsync(0.95 * LEASE_MS);
  expect(sessions.map(({ partitions }) => partitions.length)).toEqual([2, 2]);
  await first.close();
  await second.close();
});

test("in standby nothing is given up for a partition that may not be claimed yet (contract 8.5c, 8.6)", async () => {
  const backend = createMemoryBackend();
  const member = new Member(backend, { sharing: "standby", partitions: [2, 3] });
  const session = await member.opening;
  member.own.isCut = true;
  await vi.advanceTimersByTimeAsync(11 * LEASE_MS);
  member.own.isCut = false;
  await vi.advanceTimersByTimeAsync(0.3 * LEASE_MS);
  const claimed = session.claim([0]);
  await vi.advanceTimersByTimeAsync(0.6 * LEASE_MS);
  expect(session.partitions).toEqual([2, 3]);
  await vi.advanceTimersByTimeAsync(LEASE_MS);
  await claimed;
  expect(session.partitions).toEqual([0, 2, 3]);
  expect(member.events.of("revoked")).toEqual([]);
  await member.close();
});

test("a poll that was interrupted by an outage claims nothing of what has expired in it (contract 8.5c)", async () => {
  const backend = createMemoryBackend();
  const life = { sharing: "balanced", ttl: 3_000 } as const;
  const [first, second] = [new Member(backend, life), new Member(backend, life)];
  await vi.advanceTimersByTimeAsync(10 * LEASE_MS);
  const sessions = [await first.opening, await second.opening];
  const before = sessions.map(({ partitions }) => partitions);
  const moves = second.events.of("revoked").length;
  const gate = Promise.withResolvers<void>();
  first.gate = gate.promise;
  await vi.advanceTimersByTimeAsync(0.5 * LEASE_MS);
  for (const { own } of [first, second]) own.isCut = true;
  await vi.advanceTimersByTimeAsync(11 * LEASE_MS);
  for (const { own } of [first, second]) own.isCut = false;
  gate.resolve();
  await vi.advanceTimersByTimeAsync(6 * LEASE_MS);
  expect(sessions.map(({ partitions }) => partitions)).toEqual(before);
  expect(second.events.of("revoked")).toHaveLength(moves);
  await first.close();
  await second.close();
});
