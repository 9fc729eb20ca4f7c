import { openOffsetSession } from "@tidemark/core";
import { expect, test } from "vitest";
import { createFaultyStore, fail, loseAnswer, storedOffset } from "./faulty-store.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };
const options = { consumer: "c1", topic: "orders", partitions: [0] };

test("a reset is durable after flush(), with where the position was and why, and begins an epoch (contract 6.5)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 19n });
  await session.flush();
  const before = session.epoch(0) ?? 0;
  session.resetTo(0, 5n, "below-log", { mark: "log-7" });
  await session.flush();
  await session.flush();
  session.commit({ partition: 0, offset: 5n });
  await session.flush();
  expect(faulty.commits.slice(1).map(([entry]) => [entry?.nextOffset, entry?.rewind])).toEqual([
    [5n, true],
    [6n, undefined],
  ]);
  expect(session.epoch(0)).toBeGreaterThan(before);
  expect(await faulty.inner.fetch([key])).toMatchObject([
    {
      record: {
        nextOffset: 6n,
        epoch: session.epoch(0),
        mark: "log-7",
        resetFrom: { nextOffset: 20n, reason: "below-log" },
      },
    },
  ]);
});

test("a reset forward is one too, and takes the place of what was committed before it (contract 6.5)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 9n });
  session.resetTo(0, 100n, "below-log");
  expect(session.position(0)).toBe(100n);
  await session.flush();
  expect(faulty.commits.map(([entry]) => [entry?.nextOffset, entry?.rewind])).toEqual([[100n, true]]);
  expect(await faulty.inner.fetch([key])).toMatchObject([{ record: { resetFrom: { nextOffset: 10n } } }]);
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
  session.resetTo(0, 0n, "other-log");
  session.commit({ partition: 0, offset: 0n });
  await session.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
});

test("inside a transaction a position only goes forward: a reset has to be durable before it begins (contract 5.15)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 19n });
  session.resetTo(0, 5n, "truncated");
  const committing = session.commitWithin({} as never, { partition: 0, offset: 5n });
  await expect(committing).rejects.toMatchObject({ name: "ConsumerStateError", code: "NOT_NEXT" });
  await session.flush();
  await session.commitWithin({} as never, { partition: 0, offset: 5n });
  expect(faulty.commits.at(-1)).toMatchObject([{ nextOffset: 6n }]);
});

test("while a caller's transaction is open, flushes leave its partition out, until the caller tells its end (contract 5.15)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, partitions: [0, 1], store: faulty.store });
  for (const partition of [0, 1]) session.commit({ partition, offset: 0n });
  await session.commitWithin({} as never, { partition: 0, offset: 1n });
  await session.flush();
  expect(faulty.commits.at(-1)).toMatchObject([{ key: { partition: 1 }, nextOffset: 1n }]);
  session.commit({ partition: 0, offset: 1n });
  await session.flush();
  expect(faulty.commits.at(-1)).toMatchObject([{ key: { partition: 0 }, nextOffset: 2n }]);
});

test("a record of before a reset moves nothing, and ends its transaction all the same (contract 5.15)", async () => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  const record = { partition: 0, offset: 0n };
  session.deliver(record);
  await session.commitWithin({} as never, record);
  session.resetTo(0, 5n, "below-log");
  await session.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
  session.commit(record);
  await session.flush();
  expect(await storedOffset(faulty.inner, key)).toBe(5n);
});

test("closing after a transaction that was rolled back without a word stores what was committed before it, and lets go (contract 5.2)", async () => {
  const faulty = createFaultyStore();
  const session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 4n });
  faulty.commitFault = (entries) => Promise.resolve(entries.map(() => ({ status: "committed" })));
  await session.commitWithin({} as never, { partition: 0, offset: 5n });
  faulty.commitFault = undefined;
  await session.close();
  const [outcome] = await faulty.inner.fetch([key]);
  expect(outcome).toMatchObject({ record: { nextOffset: 5n } });
  expect(outcome?.status === "found" && outcome.record.owner).toBeUndefined();
});

test("a write whose answer was lost and that arrives after the reset changes nothing (contract 6.5)", async () => {
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
  session.resetTo(0, 0n, "other-log");
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
])("a session goes on after a reset that %s, back once more too (contract 6.5)", async (_what, fault) => {
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store });
  session.commit({ partition: 0, offset: 19n });
  await session.flush();
  session.resetTo(0, 5n, "other-log");
  faulty.commitFault = fault;
  await expect(session.flush()).rejects.toMatchObject({ code: "UNAVAILABLE" });
  faulty.commitFault = undefined;
  session.resetTo(0, 0n, "other-log");
  session.commit({ partition: 0, offset: 0n });
  await session.flush();
  expect(await faulty.inner.fetch([key])).toMatchObject([
    { record: { nextOffset: 1n, resetFrom: { nextOffset: 20n } } },
  ]);
  for (const offset of [1n, 30n]) {
    session.commit({ partition: 0, offset });
    await session.flush();
    expect(await storedOffset(faulty.inner, key)).toBe(offset + 1n);
  }
});
