import { type OffsetSession, openOffsetSession, type RecordPosition } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";

async function delivered(...records: (bigint | RecordPosition)[]): Promise<OffsetSession> {
  const session = await openOffsetSession({
    store: createMemoryStore(),
    consumer: "c1",
    topic: "orders",
    partitions: [0],
  });
  for (const each of records) session.deliver(typeof each === "bigint" ? { partition: 0, offset: each } : each);
  return session;
}

test("in any order: the position is the lowest one not acknowledged, gaps are never waited for (contract 5.14)", async () => {
  await using session = await delivered(2n, 3n, 7n, 8n);
  const acknowledge = (offset: bigint): void => session.acknowledge({ partition: 0, offset });
  acknowledge(8n);
  acknowledge(3n);
  acknowledge(5n);
  expect(session.position(0)).toBeUndefined();
  acknowledge(2n);
  expect(session.position(0)).toBe(4n);
  acknowledge(7n);
  expect(session.position(0)).toBe(9n);
});

test("commit(record) acknowledges all up to it, and what is acknowledged beyond it counts at once (contract 5.14)", async () => {
  await using session = await delivered(0n, 1n, 2n, 3n, 9n, 10n);
  session.acknowledge({ partition: 0, offset: 3n });
  session.acknowledge({ partition: 0, offset: 9n });
  session.commit({ partition: 0, offset: 2n });
  expect(session.position(0)).toBe(10n);
  session.acknowledge({ partition: 0, offset: 1n });
  expect(session.position(0)).toBe(10n);
});

test("records of a log that is gone move nothing, also when the new log has got there (contract 6.5)", async () => {
  const former = [0n, 1n, 2n, 3n, 4n].map((offset): RecordPosition => ({ partition: 0, offset }));
  await using session = await delivered(...former);
  session.commit(former[1]);
  await session.flush();
  session.resetTo(0, 0n, "other-log");
  const late = (): void => {
    for (const record of former.slice(2)) {
      session.acknowledge(record);
      session.commit(record);
    }
  };
  late();
  expect(session.position(0)).toBe(0n);
  await session.flush();
  late();
  for (let offset = 0n; offset < 5n; offset += 1n) session.deliver({ partition: 0, offset });
  late();
  expect(session.position(0)).toBe(0n);
  await expect(session.commitWithin({} as never, { ...former[2], partition: 0, offset: 2n })).rejects.toMatchObject({
    code: "UNSUPPORTED",
  });
  await expect(session.commitWithin({} as never, former[2] ?? { partition: 0, offset: 2n })).rejects.toMatchObject({
    code: "NOT_HELD",
  });
  session.commit();
  expect(session.position(0)).toBe(5n);
  await session.flush();
});

test("a record that was handed out before its partition was lost does not count after it is claimed again (contract 5.14)", async () => {
  const store = createMemoryStore();
  const options = { store, consumer: "c1", topic: "orders", partitions: [0, 1] };
  await using session = await openOffsetSession({ ...options, sharing: "takeover", onFenced: "continue" });
  const record = { partition: 0, offset: 0n };
  session.deliver(record);
  await store.reset([{ key: { consumer: "c1", topic: "orders", partition: 0 }, nextOffset: 0n }]);
  session.commit({ partition: 0, offset: 0n });
  await session.flush();
  await session.claim([0]);
  session.deliver({ partition: 0, offset: 0n });
  session.acknowledge(record);
  session.commit(record);
  expect(session.position(0)).toBe(0n);
});

test("what was never delivered is not committed: a RangeError says what was (contract 5.14)", async () => {
  await using session = await delivered(0n, 1n);
  expect(() => session.commit({ partition: 0, offset: 2n })).toThrow(/never delivered: the last one was 1/u);
  expect(() => session.acknowledge({ partition: 0, offset: 7n })).toThrow(RangeError);
  expect(session.position(0)).toBeUndefined();
});

test("commitWithin: a store without transactions refuses before it writes (contract 5.15)", async () => {
  await using session = await delivered(0n);
  await expect(session.commitWithin(undefined as never, { partition: 0, offset: 0n })).rejects.toThrow(TypeError);
  await expect(session.commitWithin({} as never, { partition: 0, offset: 0n })).rejects.toMatchObject({
    code: "UNSUPPORTED",
  });
  expect(session.position(0)).toBeUndefined();
});

test("committing what is dirty already makes no promise and no timer (contract 5.19)", async () => {
  await using session = await delivered();
  session.deliver({ partition: 0, offset: 0n });
  session.commit({ partition: 0, offset: 0n });
  const { setTimeout: realTimeout } = globalThis;
  const { Promise: RealPromise } = globalThis;
  let made = 0;
  globalThis.setTimeout = ((...timer: Parameters<typeof realTimeout>) => {
    made += 1;
    return realTimeout(...timer);
  }) as typeof realTimeout;
  globalThis.Promise = new Proxy(RealPromise, {
    construct: (...call) => {
      made += 1;
      return Reflect.construct(...call) as object;
    },
    get: (...read) => {
      made += 1;
      return Reflect.get(...read) as unknown;
    },
  });
  try {
    for (let offset = 1n; offset < 1_000n; offset += 1n) {
      session.deliver({ partition: 0, offset });
      session.commit({ partition: 0, offset });
    }
  } finally {
    globalThis.setTimeout = realTimeout;
    globalThis.Promise = RealPromise;
  }
  expect(made).toBe(0);
  expect(session.position(0)).toBe(1_000n);
});
