import { ConsumerStateError, createConsumer, openOffsetSession } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource } from "@tidemark/test-support";
import { expect, test } from "vitest";
import { storedOffset } from "../session/faulty-store.ts";

const options = { topic: "orders", consumer: "c1" };

async function ordersLog() {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions: 1 });
  await source.producer.produce("orders", 0, [{ value: Buffer.from("one") }, { value: Buffer.from("two") }]);
  return source;
}

function codeOf(call: () => unknown): string | undefined {
  try {
    call();
  } catch (error) {
    if (error instanceof ConsumerStateError) return error.code;
    throw error;
  }
  return undefined;
}

test("a second loop is ALREADY_READING; what is closed is CLOSED, a session's verbs too (contract 5.23)", async () => {
  const store = createMemoryStore();
  const consumer = await createConsumer({ ...options, source: await ordersLog(), store });
  const loop = consumer[Symbol.asyncIterator]();
  await loop.next();
  expect(codeOf(() => consumer[Symbol.asyncIterator]())).toBe("ALREADY_READING");
  await loop.return?.();
  await consumer.close();
  expect(codeOf(() => consumer[Symbol.asyncIterator]())).toBe("CLOSED");
  expect(codeOf(() => consumer.commit())).toBe("CLOSED");
  const session = await openOffsetSession({ ...options, store, partitions: [0] });
  await session.close();
  expect(codeOf(() => session.commit({ partition: 0, offset: 0n }))).toBe("CLOSED");
  await expect(session.flush()).rejects.toMatchObject({ name: "ConsumerStateError", code: "CLOSED" });
  await expect(session.release([0])).rejects.toMatchObject({ code: "CLOSED" });
});

test("a consumer that does not commit, or commits by itself, is NEEDS_MANUAL (contract 5.23)", async () => {
  const source = await ordersLog();
  await using reading = await createConsumer({ source, topic: "orders" });
  expect(codeOf(() => reading.commit())).toBe("NEEDS_MANUAL");
  await expect(reading.flush()).rejects.toMatchObject({ code: "NEEDS_MANUAL" });
  await using auto = await createConsumer({ ...options, source, store: createMemoryStore() });
  // @ts-expect-error -- only a consumer with strategy "manual" has it
  expect(codeOf(() => auto.acknowledge({ partition: 0, offset: 0n }))).toBe("NEEDS_MANUAL");
  // @ts-expect-error -- only a consumer with strategy "manual" has it
  const within = auto.commitWithin({}, { partition: 0, offset: 0n });
  await expect(within).rejects.toMatchObject({ code: "NEEDS_MANUAL" });
});

test("a transaction on a partition that was reset is NOT_NEXT or NOT_HELD, and nothing is written (contract 5.23)", async () => {
  const store = createMemoryStore();
  await using session = await openOffsetSession({ ...options, store, partitions: [0] });
  const before = { partition: 0, offset: 7n };
  session.deliver(before);
  session.resetTo(0, 3n, "below-log");
  const next = { partition: 0, offset: 3n };
  await expect(session.commitWithin({} as never, next)).rejects.toMatchObject({ code: "NOT_NEXT" });
  await expect(session.commitWithin({} as never, before)).rejects.toMatchObject({ code: "NOT_HELD" });
  expect(await storedOffset(store, { ...options, partition: 0 })).toBeUndefined();
});
