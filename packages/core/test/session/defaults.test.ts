import { openOffsetSession, type OffsetSessionEvent } from "@tidemark/core";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EventLog } from "./eventually.ts";
import { createFaultyStore, fail, storedOffset } from "./faulty-store.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };
const options = { consumer: "c1", topic: "orders", partitions: [0] };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "performance", "Date"] });
});

afterEach(() => {
  vi.useRealTimers();
});

test("a flush comes 3 seconds after the commit unless told otherwise (contract 5.3)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 6n });
  await vi.advanceTimersByTimeAsync(2_900);
  expect(faulty.commits).toHaveLength(0);
  await vi.advanceTimersByTimeAsync(200);
  expect(await storedOffset(faulty.inner, key)).toBe(7n);
});

test("a partition with an open transaction keeps no other from being flushed by time, and is flushed itself when that is over (contract 5.15)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, partitions: [0, 1], store: faulty.store });
  session.commit({ partition: 0, offset: 0n });
  faulty.commitFault = (entries) => Promise.resolve(entries.map(() => ({ status: "committed" })));
  await session.commitWithin({} as never, { partition: 0, offset: 1n });
  faulty.commitFault = undefined;
  session.commit({ partition: 1, offset: 6n });
  await vi.advanceTimersByTimeAsync(3_100);
  expect(await storedOffset(faulty.inner, { ...key, partition: 1 })).toBe(7n);
  expect(await storedOffset(faulty.inner, key)).toBeUndefined();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
});

test("a session stalls when what is committed is 60 seconds old, unless told otherwise (contract 5.6)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  const session = await openOffsetSession({ ...options, store: faulty.store, onEvent: events.hear });
  faulty.commitFault = fail;
  session.commit({ partition: 0, offset: 6n });
  await vi.advanceTimersByTimeAsync(59_000);
  expect(events.of("stalled")).toEqual([]);
  await vi.advanceTimersByTimeAsync(7_000);
  expect(events.of("stalled")).toHaveLength(1);
  faulty.commitFault = undefined;
  await session.close();
});
