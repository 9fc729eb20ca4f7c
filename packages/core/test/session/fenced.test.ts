import { OffsetFencedError, openOffsetSession, type OffsetSessionEvent } from "@tidemark/core";
import { expect, test } from "vitest";
import { EventLog, eventually } from "./eventually.ts";
import { createFaultyStore, storedOffset } from "./faulty-store.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };
const options = { consumer: "c1", topic: "orders", partitions: [0, 1, 2], sharing: "takeover" } as const;

test("stop: a last flush of what is still owned, then nothing; all verbs reject with partition, reason and owner (contract 5.4)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  const session = await openOffsetSession({ ...options, store: faulty.store, onEvent: events.hear });
  await using other = await openOffsetSession({ ...options, partitions: [0], store: faulty.inner, owner: "the other" });
  const gate = Promise.withResolvers<void>();
  faulty.commitFault = async (_entries, apply) => {
    await gate.promise;
    return apply();
  };
  for (const partition of [0, 1]) session.commit({ partition, offset: 4n });
  const flushes = Promise.allSettled([session.flush(), session.flush()]);
  await eventually(() => faulty.inFlight.now === 1);
  for (const partition of [1, 2]) session.commit({ partition, offset: 9n });
  gate.resolve();
  for (const flush of await flushes) {
    expect(flush).toMatchObject({ status: "rejected", reason: { key, reason: "superseded", owner: "the other" } });
  }
  expect(
    faulty.commits.map((entries) => entries.map(({ key: { partition } }) => partition).toSorted((a, b) => a - b)),
  ).toEqual([
    [0, 1],
    [1, 2],
  ]);
  expect(await storedOffset(faulty.inner, { ...key, partition: 1 })).toBe(10n);
  expect(await storedOffset(faulty.inner, { ...key, partition: 2 })).toBe(10n);
  expect(await storedOffset(faulty.inner, key)).toBeUndefined();
  expect(session.fenced).toBeInstanceOf(OffsetFencedError);
  expect(() => session.commit({ partition: 1, offset: 20n })).toThrow(OffsetFencedError);
  await expect(session.flush()).rejects.toThrow(OffsetFencedError);
  expect(events.of("fenced")).toHaveLength(1);
  await session.close();
  expect(faulty.commits).toHaveLength(2);
  expect(other.fenced).toBeUndefined();
});

test("continue: only that partition is dropped, with an event (contract 5.4)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  await using session = await openOffsetSession({
    ...options,
    store: faulty.store,
    onFenced: "continue",
    onEvent: events.hear,
  });
  await faulty.inner.reset([{ key, nextOffset: 100n }]);
  for (const partition of [0, 1]) session.commit({ partition, offset: 4n });
  await session.flush();
  expect(events.of("fenced")).toMatchObject([{ key, reason: "reset", owner: undefined }]);
  session.commit({ partition: 0, offset: 200n });
  session.commit({ partition: 1, offset: 5n });
  await session.flush();
  expect(session.partitions).toEqual([1, 2]);
  expect(session.position(0)).toBeUndefined();
  expect(session.fenced).toBeUndefined();
  expect(await storedOffset(faulty.inner, key)).toBe(100n);
  expect(await storedOffset(faulty.inner, { ...key, partition: 1 })).toBe(6n);
});

test("deleted by an operator while it cannot have expired: fenced, and not written anew (contract 5.4, 5.6)", async () => {
  const faulty = createFaultyStore();
  const session = await openOffsetSession({ ...options, store: faulty.store, ttl: 60_000 });
  await faulty.inner.delete({ keys: [key] });
  session.commit({ partition: 0, offset: 4n });
  await expect(session.close()).rejects.toMatchObject({ key, reason: "absent" });
  expect(await storedOffset(faulty.inner, key)).toBeUndefined();
});

test("a position that is ahead already counts as durable, with an event (contract 5.4)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  await using session = await openOffsetSession({ ...options, store: faulty.store, onEvent: events.hear });
  faulty.commitFault = (entries, apply) => apply(entries.map((entry) => ({ ...entry, nextOffset: 50n })));
  session.commit({ partition: 0, offset: 8n });
  await session.flush();
  faulty.commitFault = undefined;
  session.commit({ partition: 0, offset: 9n });
  await session.flush();
  const before = faulty.commits.length;
  await session.flush();
  expect(faulty.commits).toHaveLength(before);
  expect(events.of("behind")).toMatchObject([{ key, sent: 10n, record: { nextOffset: 50n } }]);
});

test("an idle session learns within its renewInterval that it was superseded (contract 5.5)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  const session = await openOffsetSession({ ...options, store: faulty.store, renewInterval: 20, onEvent: events.hear });
  await using other = await openOffsetSession({ ...options, store: faulty.inner, owner: "the other" });
  expect(await events.first("fenced")).toMatchObject({ reason: "superseded", owner: "the other" });
  expect(() => session.commit()).toThrow(OffsetFencedError);
  expect(other.fenced).toBeUndefined();
  await session.close();
});

test("a partition that was lost is claimed anew: a late write of before finds another token (contract 5.4)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, onFenced: "continue" });
  session.commit({ partition: 0, offset: 4n });
  await session.flush();
  const [before] = faulty.commits.flat();
  await faulty.inner.reset([{ key, nextOffset: 1n }]);
  session.commit({ partition: 0, offset: 5n });
  await session.flush();
  await session.claim([0]);
  expect(await faulty.inner.commit([{ key, token: before?.token ?? "", nextOffset: 90n }])).toMatchObject([
    { status: "fenced", reason: "superseded" },
  ]);
  session.commit({ partition: 0, offset: 1n });
  await session.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(2n);
});
