import { openOffsetSession } from "@tidemark/core";
import { expect, test } from "vitest";
import { createFaultyStore, fail, loseAnswer, storedOffset } from "./faulty-store.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };
const options = { consumer: "c1", topic: "orders", partitions: [0] };

test("going back commits nothing; the first commit after it is a rewind, the next ones are not (contract 6.5)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 19n });
  await session.flush();
  session.reposition(0, 0n);
  await session.flush();
  expect(faulty.commits).toHaveLength(1);
  for (const offset of [0n, 1n]) {
    session.commit({ partition: 0, offset });
    await session.flush();
  }
  expect(faulty.commits.slice(1).map(([entry]) => [entry?.nextOffset, entry?.rewind])).toEqual([
    [1n, true],
    [2n, undefined],
  ]);
});

test.each([
  ["was applied and its answer lost", loseAnswer],
  ["was not applied", fail],
])("a session goes back although the flush before %s (contract 6.5)", async (_what, fault) => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 9n });
  await session.flush();
  session.commit({ partition: 0, offset: 19n });
  faulty.commitFault = fault;
  await expect(session.flush()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  faulty.commitFault = undefined;
  session.reposition(0, 0n);
  session.commit({ partition: 0, offset: 0n });
  await session.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
});

test("a durable way back is what the next flush writes, and nothing of before comes after it (contract 5.15)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, strategy: "manual" });
  session.commit({ partition: 0, offset: 9n });
  await session.flush();
  session.commit({ partition: 0, offset: 19n });
  session.reposition(0, 5n, { durable: true });
  await expect(session.commitWithin({} as never, { partition: 0, offset: 5n })).rejects.toThrow(/went back/u);
  await session.flush();
  await session.flush();
  expect(faulty.commits.slice(1).map(([entry]) => [entry?.nextOffset, entry?.rewind])).toEqual([[5n, true]]);
  await session.commitWithin({} as never, { partition: 0, offset: 5n });
  expect(faulty.commits.at(-1)).toMatchObject([{ nextOffset: 6n }]);
});

test("a position that was committed before reading went elsewhere is still written (contract 6.5)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 9n });
  session.reposition(0, 100n);
  await session.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(10n);
  expect(session.position(0)).toBe(100n);
});

test("a write whose answer was lost and that arrives after the rewind changes nothing (contract 6.5)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 9n });
  await session.flush();
  // The network keeps this one back.
  let late: (() => Promise<unknown>) | undefined;
  faulty.commitFault = async (_entries, apply) => {
    late = apply;
    throw new Error("the connection was reset");
  };
  session.commit({ partition: 0, offset: 99n });
  await expect(session.flush()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  faulty.commitFault = undefined;
  session.reposition(0, 0n);
  session.commit({ partition: 0, offset: 0n });
  await session.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
  expect(await late?.()).toMatchObject([{ status: "fenced", reason: "superseded" }]);
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
  session.commit({ partition: 0, offset: 1n });
  await session.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(2n);
});

test.each([
  ["was applied and its answer lost", loseAnswer],
  ["was not applied", fail],
])("a session goes on after a rewind that %s, back once more too (contract 6.5)", async (_what, fault) => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 19n });
  await session.flush();
  session.reposition(0, 5n);
  session.commit({ partition: 0, offset: 5n });
  faulty.commitFault = fault;
  await expect(session.flush()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  faulty.commitFault = undefined;
  session.reposition(0, 0n);
  session.commit({ partition: 0, offset: 0n });
  await session.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
  for (const offset of [1n, 30n]) {
    session.commit({ partition: 0, offset });
    await session.flush();
    expect(await storedOffset(faulty.inner, key)).toBe(offset + 1n);
  }
});
