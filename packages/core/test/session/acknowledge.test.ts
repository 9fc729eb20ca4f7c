import { type OffsetSession, openOffsetSession } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";

async function delivered(...offsets: bigint[]): Promise<OffsetSession> {
  const session = await openOffsetSession({
    store: createMemoryStore(),
    consumer: "c1",
    topic: "orders",
    partitions: [0],
    strategy: "manual",
  });
  for (const offset of offsets) session.deliver({ partition: 0, offset });
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

test("records of a log that is gone move nothing, until the new log gets there (contract 6.5)", async () => {
  await using session = await delivered(0n, 1n, 2n, 3n, 4n);
  session.commit({ partition: 0, offset: 1n });
  await session.flush();
  session.reposition(0, 0n);
  session.commit({ partition: 0, offset: 4n });
  session.acknowledge({ partition: 0, offset: 3n });
  expect(session.position(0)).toBe(0n);
  session.deliver({ partition: 0, offset: 0n });
  session.commit();
  expect(session.position(0)).toBe(1n);
  await session.flush();
});

test("commitWithin and acknowledge are for manual; a store without transactions refuses before it writes (contract 5.15)", async () => {
  await using manual = await delivered(0n);
  await expect(manual.commitWithin(undefined as never, { partition: 0, offset: 0n })).rejects.toThrow(TypeError);
  await expect(manual.commitWithin({} as never, { partition: 0, offset: 5n })).rejects.toMatchObject({
    code: "UNSUPPORTED",
  });
  expect(manual.position(0)).toBeUndefined();
  const store = createMemoryStore();
  await using auto = await openOffsetSession({ store, consumer: "c1", topic: "orders", partitions: [0] });
  await expect(auto.commitWithin({} as never, { partition: 0, offset: 0n })).rejects.toThrow(/manual/);
  expect(() => auto.acknowledge({ partition: 0, offset: 0n })).toThrow(/manual/);
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
