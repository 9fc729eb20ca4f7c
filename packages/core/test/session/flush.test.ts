import { openOffsetSession, type OffsetSessionEvent } from "@tidemark/core";
import { expect, test, vi } from "vitest";
import { EventLog, eventually } from "./eventually.ts";
import { createFaultyStore, fail, type FaultyStore, storedOffset } from "./faulty-store.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };
const options = { consumer: "c1", topic: "orders", partitions: [0, 1, 2] };

function offsets(faulty: FaultyStore): (bigint | undefined)[][] {
  return faulty.commits.map((entries) => entries.map(({ nextOffset }) => nextOffset));
}

test("a commit is local; it is written by time, though nothing else happens (contract 5.3, 5.13)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, flushInterval: 20 });
  session.commit({ partition: 0, offset: 4n });
  expect(session.position(0)).toBe(5n);
  expect(faulty.commits).toEqual([]);
  await eventually(async () => (await storedOffset(faulty.inner, key)) === 5n);
  await session.flush();
  expect(faulty.commits).toHaveLength(1);
});

test("several partitions go in one call, the newest position of each, and only those that have something to say (contract 5.3)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  for (let offset = 0n; offset < 10n; offset += 1n) session.commit({ partition: 0, offset });
  session.commit({ partition: 2, offset: 6n });
  await session.flush();
  expect(offsets(faulty)).toEqual([[10n, 7n]]);
  await session.flush();
  session.commit({ partition: 0, offset: 3n });
  await session.flush();
  expect(faulty.commits).toHaveLength(1);
});

test("one flush in flight; what is committed meanwhile stays dirty, and flush() waits for it (contract 5.3, 5.13)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, flushInterval: 1 });
  const gate = Promise.withResolvers<void>();
  faulty.commitFault = async (_entries, apply) => {
    await gate.promise;
    return apply();
  };
  session.commit({ partition: 0, offset: 4n });
  await eventually(() => faulty.inFlight.now === 1);
  session.commit({ partition: 0, offset: 8n });
  const flushed = Promise.all([session.flush(), session.flush(), session.flush()]);
  gate.resolve();
  await flushed;
  expect(offsets(faulty)).toEqual([[5n], [9n]]);
  expect(faulty.inFlight.most).toBe(1);
  expect(await storedOffset(faulty.inner, key)).toBe(9n);
});

test("a failure keeps it dirty, is an event, and is tried again with pauses; flush() and close() try at once (contract 5.3, 5.12)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  const session = await openOffsetSession({ ...options, store: faulty.store, flushInterval: 1, onEvent: events.hear });
  faulty.commitFault = fail;
  session.commit({ partition: 1, offset: 0n });
  const failed = await events.first("flush-failed");
  expect(failed).toMatchObject({ keys: [{ ...key, partition: 1 }], error: { code: "UNAVAILABLE" } });
  await eventually(() => faulty.commits.length >= 3);
  const before = faulty.commits.length;
  await expect(session.flush()).rejects.toMatchObject({ name: "OffsetStoreError" });
  await expect(session.close()).rejects.toMatchObject({ name: "OffsetStoreError" });
  expect(faulty.commits.length).toBeGreaterThanOrEqual(before + 2);
  expect(() => session.commit()).toThrow(/closed/);
  const after = faulty.commits.length;
  await new Promise((resolve) => setTimeout(resolve, 250));
  expect(faulty.commits).toHaveLength(after);
});

test("the pauses between attempts grow and are not all the same (contract 5.12)", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  try {
    const faulty = createFaultyStore();
    const session = await openOffsetSession({ ...options, store: faulty.store, flushInterval: 10, ttl: null });
    const at: number[] = [];
    faulty.commitFault = async () => {
      at.push(performance.now());
      return fail();
    };
    session.commit({ partition: 0, offset: 0n });
    await vi.advanceTimersByTimeAsync(40_000);
    const pauses = at.slice(1).map((time, index) => time - (at[index] ?? 0));
    expect(pauses.length).toBeGreaterThan(8);
    expect(pauses.length).toBeLessThan(25);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(5_001);
    expect(Math.max(...pauses.slice(6))).toBeGreaterThan(5 * (pauses[0] ?? 0));
    expect(new Set(pauses.map(Math.round)).size).toBeGreaterThan(3);
    faulty.commitFault = undefined;
    await session.close();
  } finally {
    vi.useRealTimers();
  }
});

test("one entry that fails is named, the others of the call are durable (contract 5.8)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  const session = await openOffsetSession({ ...options, store: faulty.store, onEvent: events.hear });
  faulty.commitFault = async (entries, apply) => {
    const outcomes = await apply(entries.filter((entry) => entry.key.partition !== 1));
    return entries.map((entry) => {
      if (entry.key.partition === 1) return { status: "failed", error: new Error("unreadable") };
      return outcomes[0] ?? { status: "failed", error: new Error("no answer") };
    });
  };
  for (const partition of [0, 1, 2]) session.commit({ partition, offset: 0n });
  await expect(session.flush()).rejects.toMatchObject({ keys: [{ ...key, partition: 1 }] });
  expect(events.of("flush-failed").map(({ keys }) => keys)).toEqual([[{ ...key, partition: 1 }]]);
  faulty.commitFault = undefined;
  await session.close();
  expect(offsets(faulty).at(-1)).toEqual([1n, undefined, undefined]);
});

test("an older value never lands after a newer one: what a lost call says late is refused (contract 5.3)", async () => {
  const faulty = createFaultyStore({ timeout: 30 });
  const events = new EventLog<OffsetSessionEvent>();
  const session = await openOffsetSession({ ...options, store: faulty.store, onEvent: events.hear });
  const late = Promise.withResolvers<void>();
  let landed: Promise<unknown> | undefined;
  faulty.commitFault = (_entries, apply) => {
    landed = late.promise.then(() => apply());
    return new Promise(() => undefined);
  };
  session.commit({ partition: 0, offset: 4n });
  await expect(session.flush()).rejects.toMatchObject({ code: "TIMEOUT" });
  faulty.commitFault = undefined;
  session.commit({ partition: 0, offset: 9n });
  await session.flush();
  late.resolve();
  await expect(landed).resolves.toMatchObject([{ status: "behind" }]);
  expect(await storedOffset(faulty.inner, key)).toBe(10n);
  await session.close();
});

test("flush() rejects with the reason of an aborted signal and leaves nothing unhandled (contract 5.10)", async () => {
  const faulty = createFaultyStore();
  const session = await openOffsetSession({ ...options, store: faulty.store });
  faulty.commitFault = fail;
  session.commit({ partition: 0, offset: 0n });
  await expect(session.flush({ signal: AbortSignal.abort("enough") })).rejects.toBe("enough");
  faulty.commitFault = undefined;
  await session.close();
});

test("what no store can take is refused when it is committed (contract 3.8a)", async () => {
  await using session = await openOffsetSession({ ...options, store: createFaultyStore().store });
  expect(() => session.commit({ partition: 0, offset: -1n })).toThrow(RangeError);
  expect(() => session.commit({ partition: 0, offset: 2n ** 63n })).toThrow(RangeError);
  expect(() => session.commit({ partition: 0, offset: 5 as unknown as bigint })).toThrow(TypeError);
  expect(() => session.commit({ partition: 9, offset: 5n })).toThrow(/partition 9/);
  expect(session.position(0)).toBeUndefined();
});
