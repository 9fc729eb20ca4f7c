import { openOffsetSession, type OffsetSessionEvent } from "@tidemark/core";
import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openMemberStore } from "../consumer/group.ts";
import { EventLog } from "./eventually.ts";
import { createFaultyStore, fail, hang, storedOffset } from "./faulty-store.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };
const options = { consumer: "c1", topic: "orders", partitions: [0] };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

test.each([
  [3_000, 1_000],
  [600_000, 30_000],
] as const)("with a TTL of %s an idle claim is renewed every %s ms (contract 5.5)", async (ttl, interval) => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, ttl });
  await vi.advanceTimersByTimeAsync(interval - 10);
  expect(faulty.commits).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(20);
  expect(faulty.commits).toHaveLength(1);
  expect(faulty.commits[0]?.[0]?.nextOffset).toBeUndefined();
  expect(session.fenced).toBeUndefined();
});

test("an idle session without a TTL writes nothing: it looks every 30 s, all partitions in one call (contract 5.5)", async () => {
  const faulty = createFaultyStore();
  let looks = 0;
  faulty.fetchFault = async (keys, apply) => {
    expect(keys).toHaveLength(2);
    looks += 1;
    return apply();
  };
  await using session = await openOffsetSession({ ...options, partitions: [0, 1], store: faulty.store });
  await vi.advanceTimersByTimeAsync(29_990);
  expect(looks).toBe(0);
  await vi.advanceTimersByTimeAsync(60_020);
  expect(looks).toBe(3);
  expect(faulty.commits).toEqual([]);
  expect(session.fenced).toBeUndefined();
});

test("an idle session with a TTL renews in one call and reads nothing (contract 5.5)", async () => {
  const faulty = createFaultyStore();
  let looks = 0;
  faulty.fetchFault = (_keys, apply) => {
    looks += 1;
    return apply();
  };
  await using session = await openOffsetSession({ ...options, partitions: [0, 1], store: faulty.store, ttl: 3_000 });
  await vi.advanceTimersByTimeAsync(10_100);
  expect(faulty.commits.map(({ length }) => length)).toEqual(Array.from({ length: 10 }, () => 2));
  expect(looks).toBe(0);
  expect(session.fenced).toBeUndefined();
});

test.each([
  ["an operator's reset", "reset"],
  ["a deletion", "absent"],
  ["a takeover", "superseded"],
])("an idle session without a TTL hears of %s at its next look (contract 5.5)", async (_what, reason) => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  const takeover = { ...options, sharing: "takeover" } as const;
  await using session = await openOffsetSession({ ...takeover, store: faulty.store, onEvent: events.hear });
  if (reason === "reset") await faulty.inner.reset([{ key, nextOffset: 4n }]);
  else if (reason === "absent") await faulty.inner.delete({ keys: [key] });
  else await faulty.inner.claim([{ key, token: "another-token-of-22-chr", owner: "the other" }]);
  await vi.advanceTimersByTimeAsync(30_100);
  expect(events.of("fenced")).toMatchObject([{ key, reason }]);
  expect(session.fenced).toMatchObject({ reason });
});

test("a TTL that an operator gives a record without one is learned at the next look, and kept (contract 5.5)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 6n });
  await session.flush();
  await faulty.inner.expire([{ key, ttl: 45_000 }]);
  await vi.advanceTimersByTimeAsync(300_000);
  expect(await storedOffset(faulty.inner, key)).toBe(7n);
  expect(session.fenced).toBeUndefined();
});

test.each([
  ["the monotonic clock stood still (a laptop that slept)", "Date"],
  ["the wall clock was set back", "performance"],
] as const)("what expired while %s is written anew (contract 5.6)", async (_what, clock) => {
  const backend = createMemoryBackend({ clock: () => time });
  let time = 1_000_000;
  const faulty = createFaultyStore({ backend });
  const events = new EventLog<OffsetSessionEvent>();
  await using session = await openOffsetSession({ ...options, store: faulty.store, ttl: 60_000, onEvent: events.hear });
  session.commit({ partition: 0, offset: 6n });
  await session.flush();
  time += 120_000;
  const { now } = performance;
  const { now: wall } = Date;
  if (clock === "Date") Date.now = () => wall() + 120_000;
  else performance.now = () => now.call(performance) + 120_000;
  try {
    session.commit({ partition: 0, offset: 9n });
    await session.flush();
  } finally {
    Date.now = wall;
    performance.now = now;
  }
  expect(await storedOffset(faulty.inner, key)).toBe(10n);
  expect(events.of("recreated")).toMatchObject([{ nextOffset: 10n }]);
});

test("an idle session keeps its position for ten times its TTL (contract 5.5)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, ttl: 3_000 });
  session.commit({ partition: 0, offset: 6n });
  await vi.advanceTimersByTimeAsync(30_000);
  expect(await storedOffset(faulty.inner, key)).toBe(7n);
});

test("a TTL that an operator makes shorter is learned at the next renewal, and kept (contract 5.5)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, ttl: 30_000 });
  session.commit({ partition: 0, offset: 6n });
  await session.flush();
  await faulty.inner.expire([{ key, ttl: 12_000 }]);
  await vi.advanceTimersByTimeAsync(120_000);
  expect(await storedOffset(faulty.inner, key)).toBe(7n);
  expect(session.fenced).toBeUndefined();
});

test("a TTL that an operator makes longer during an outage is not taken back (contract 5.6)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  await using session = await openOffsetSession({ ...options, store: faulty.store, ttl: 3_000, onEvent: events.hear });
  faulty.commitFault = fail;
  session.commit({ partition: 0, offset: 6n });
  await faulty.inner.expire([{ key, ttl: 600_000 }]);
  await vi.advanceTimersByTimeAsync(10_000);
  faulty.commitFault = undefined;
  await session.flush();
  expect(await faulty.inner.fetch([key])).toMatchObject([{ record: { nextOffset: 7n, ttl: 600_000 } }]);
  expect(events.of("recreated")).toEqual([]);
});

test.each([
  ["fails", fail],
  ["hangs", hang],
])(
  "nothing committed is lost by an outage longer than the TTL, when the store %s (contract 5.6)",
  async (_what, fault) => {
    const faulty = createFaultyStore({ timeout: 500 });
    const events = new EventLog<OffsetSessionEvent>();
    await using session = await openOffsetSession({
      ...options,
      store: faulty.store,
      ttl: 3_000,
      maxUnflushedAge: 8_000,
      onEvent: events.hear,
    });
    session.commit({ partition: 0, offset: 6n });
    await session.flush();
    faulty.commitFault = fault;
    session.commit({ partition: 0, offset: 9n });
    await vi.advanceTimersByTimeAsync(7_000);
    expect(events.of("stalled")).toEqual([]);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(events.of("stalled")).toHaveLength(1);
    expect(await storedOffset(faulty.inner, key)).toBeUndefined();
    faulty.commitFault = undefined;
    await vi.advanceTimersByTimeAsync(6_000);
    expect(events.of("recovered")).toHaveLength(1);
    expect(events.of("recreated")).toMatchObject([{ key, nextOffset: 10n }]);
    expect(await faulty.inner.fetch([key])).toMatchObject([{ record: { nextOffset: 10n, ttl: 3_000 } }]);
  },
);

test("an idle session whose record expired during an outage writes its position anew (contract 5.6)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, ttl: 3_000 });
  session.commit({ partition: 0, offset: 6n });
  await session.flush();
  faulty.commitFault = fail;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await storedOffset(faulty.inner, key)).toBeUndefined();
  faulty.commitFault = undefined;
  await vi.advanceTimersByTimeAsync(6_000);
  expect(await storedOffset(faulty.inner, key)).toBe(7n);
  expect(session.fenced).toBeUndefined();
});

test("whoever took over while the record was gone is not pushed aside (contract 5.6)", async () => {
  const backend = createMemoryBackend({ clock: Date.now });
  const faulty = createFaultyStore({ backend });
  const takeover = { ...options, sharing: "takeover" } as const;
  const session = await openOffsetSession({ ...takeover, store: faulty.store, ttl: 3_000 });
  faulty.commitFault = fail;
  session.commit({ partition: 0, offset: 6n });
  await vi.advanceTimersByTimeAsync(10_000);
  await using other = await openOffsetSession({ ...takeover, store: faulty.inner, owner: "the other" });
  faulty.commitFault = undefined;
  await expect(session.close()).rejects.toMatchObject({ reason: "superseded", owner: "the other" });
  expect(other.fenced).toBeUndefined();
});

test.each([{ ttl: 3_000 }, { ttl: 30_000 }, { ttl: 60_000, renewInterval: 50_000 }])(
  "with %j others claim what a dead member held before it expires (contract 8.5d)",
  async (life) => {
    // Wherever between two renewals and two heartbeats it dies.
    for (let diesAfterMs = 0; diesAfterMs < life.ttl; diesAfterMs += life.ttl / 50) {
      const backend = createMemoryBackend();
      const dead = openMemberStore(backend);
      const first = await openOffsetSession({ ...options, ...life, store: dead.store, onEvent: () => undefined });
      first.commit({ partition: 0, offset: 4n });
      await first.flush();
      const opening = openOffsetSession({ ...options, ...life, store: createMemoryStore({ backend }) });
      await vi.advanceTimersByTimeAsync(diesAfterMs);
      dead.isCut = true;
      await vi.advanceTimersByTimeAsync(2 * life.ttl);
      const second = await opening;
      expect(second.position(0), `dies after ${diesAfterMs} ms`).toBe(5n);
      await second.close();
      dead.isCut = false;
      await first.close();
    }
  },
);
