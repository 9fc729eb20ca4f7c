import { openOffsetSession, type OffsetSessionEvent } from "@tidemark/core";
import { createMemoryBackend } from "@tidemark/store-memory";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
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
  [null, 30_000],
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
    expect(session.stalled).toBe(false);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(session.stalled).toBe(true);
    expect(events.of("stalled")).toHaveLength(1);
    expect(await storedOffset(faulty.inner, key)).toBeUndefined();
    const ready = session.whenReady();
    faulty.commitFault = undefined;
    await vi.advanceTimersByTimeAsync(6_000);
    await ready;
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
  const session = await openOffsetSession({ ...options, store: faulty.store, ttl: 3_000 });
  faulty.commitFault = fail;
  session.commit({ partition: 0, offset: 6n });
  await vi.advanceTimersByTimeAsync(10_000);
  await using other = await openOffsetSession({ ...options, store: faulty.inner, owner: "the other" });
  faulty.commitFault = undefined;
  await expect(session.close()).rejects.toMatchObject({ reason: "superseded", owner: "the other" });
  expect(other.fenced).toBeUndefined();
});
