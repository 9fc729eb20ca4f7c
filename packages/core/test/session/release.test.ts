import { openOffsetSession, type OffsetSessionEvent } from "@tidemark/core";
import { expect, test } from "vitest";
import { EventLog } from "./eventually.ts";
import { createFaultyStore, fail, storedOffset } from "./faulty-store.ts";

const options = { consumer: "c1", topic: "orders", partitions: [0, 1, 2] };
const keyOf = (partition: number) => ({ consumer: "c1", topic: "orders", partition });

test("close() ends all claims, together with what is committed, in one write (contract 5.2)", async () => {
  const faulty = createFaultyStore();
  const session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 1, offset: 4n });
  await session.close();
  expect(faulty.commits).toHaveLength(1);
  for (const partition of options.partitions) {
    const [outcome] = await faulty.inner.fetch([keyOf(partition)]);
    expect(outcome).toMatchObject({ status: "found" });
    expect(outcome?.status === "found" && outcome.record.owner).toBeUndefined();
  }
  expect(await storedOffset(faulty.inner, keyOf(1))).toBe(5n);
  expect(session.fenced).toBeUndefined();
});

test("a late commit of a session that was closed is fenced as released (contract 3.2f)", async () => {
  const faulty = createFaultyStore();
  const session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 4n });
  await session.flush();
  const [sent] = faulty.commits.flat();
  await session.close();
  expect(await faulty.inner.commit([{ ...sent, key: keyOf(0), token: sent?.token ?? "", nextOffset: 9n }])).toEqual([
    { status: "fenced", reason: "released" },
  ]);
});

test("release() flushes and lets go of some partitions; they can be claimed again (contract 5.2)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 4n });
  await session.release([0]);
  expect(session.partitions).toEqual([1, 2]);
  expect(session.position(0)).toBeUndefined();
  session.commit({ partition: 0, offset: 7n });
  await session.flush();
  expect(await storedOffset(faulty.inner, keyOf(0))).toBe(5n);
  await session.claim([0]);
  expect(session.position(0)).toBe(5n);
  session.commit({ partition: 0, offset: 7n });
  await session.flush();
  expect(await storedOffset(faulty.inner, keyOf(0))).toBe(8n);
});

test.each(["takeover", "standby"] as const)(
  "%s: a claim that only could not be ended is an event; a position that could not be written rejects (contract 5.2)",
  async (sharing) => {
    const faulty = createFaultyStore();
    const events = new EventLog<OffsetSessionEvent>();
    const idle = await openOffsetSession({ ...options, sharing, store: faulty.store, onEvent: events.hear });
    faulty.commitFault = fail;
    await idle.close();
    expect(events.of("flush-failed")).toHaveLength(1);
    faulty.commitFault = undefined;
    const busy = await openOffsetSession({ ...options, sharing, store: faulty.store, onEvent: events.hear });
    busy.commit({ partition: 0, offset: 1n });
    faulty.commitFault = fail;
    await expect(busy.close()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  },
);

test("closing a session whose claim was taken over and that had nothing to say rejects nothing (contract 5.2)", async () => {
  const faulty = createFaultyStore();
  const takeover = { ...options, sharing: "takeover" } as const;
  const session = await openOffsetSession({ ...takeover, store: faulty.store });
  await using other = await openOffsetSession({ ...takeover, store: faulty.inner, owner: "the other" });
  await session.close();
  expect(other.fenced).toBeUndefined();
  other.commit({ partition: 0, offset: 1n });
  await other.flush();
});

test("takeover: what is committed while a release is written comes too late, and costs no other partition (contract 5.2)", async () => {
  const faulty = createFaultyStore();
  const events = new EventLog<OffsetSessionEvent>();
  const more = { sharing: "takeover", flushInterval: 600_000, onEvent: events.hear } as const;
  await using session = await openOffsetSession({ ...options, ...more, store: faulty.store });
  session.commit({ partition: 0, offset: 4n });
  faulty.commitFault = async (entries, apply) => {
    faulty.commitFault = undefined;
    const outcomes = await apply(entries);
    session.commit({ partition: 0, offset: 7n });
    return outcomes;
  };
  await session.release([0]);
  expect(session.partitions).toEqual([1, 2]);
  expect(await storedOffset(faulty.inner, keyOf(0))).toBe(5n);
  session.commit({ partition: 1, offset: 1n });
  await session.flush();
  expect(await storedOffset(faulty.inner, keyOf(1))).toBe(2n);
  expect(events.all).toEqual([]);
});

test("takeover: claim() of what an earlier release() could not write ends that first, and claims it (contract 5.2)", async () => {
  const faulty = createFaultyStore();
  const more = { sharing: "takeover", flushInterval: 600_000 } as const;
  await using session = await openOffsetSession({ ...options, ...more, store: faulty.store });
  session.commit({ partition: 0, offset: 4n });
  faulty.commitFault = fail;
  await expect(session.release([0])).rejects.toMatchObject({ code: "UNAVAILABLE" });
  await expect(session.claim([0])).rejects.toMatchObject({ code: "UNAVAILABLE" });
  faulty.commitFault = undefined;
  await session.claim([0]);
  expect(session.position(0)).toBe(5n);
  session.commit({ partition: 0, offset: 7n });
  await session.flush();
  expect(await storedOffset(faulty.inner, keyOf(0))).toBe(8n);
});
