import { type OffsetKey, OffsetStoreError, openOffsetSession } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";

const options = { consumer: "c1", topic: "orders", partitions: [0] };

test("acknowledging where nothing was ever delivered is an error, and says what to call (contract 5.14)", async () => {
  await using session = await openOffsetSession({ ...options, store: createMemoryStore() });
  expect(() => session.acknowledge({ partition: 0, offset: 0n })).toThrow(/deliver\(record\)/);
  session.deliver({ partition: 0, offset: 0n });
  session.acknowledge({ partition: 0, offset: 0n });
  expect(session.position(0)).toBe(1n);
});

test("a record at the last offset has no position after it: a RangeError before anything is kept (contract 3.8a)", async () => {
  await using session = await openOffsetSession({ ...options, store: createMemoryStore() });
  const record = { partition: 0, offset: 2n ** 63n - 1n };
  expect(() => session.commit(record)).toThrow(RangeError);
  session.deliver(record);
  expect(() => session.acknowledge(record)).toThrow(RangeError);
  session.commit({ partition: 0, offset: 2n ** 63n - 2n });
  await session.flush();
  expect(session.position(0)).toBe(2n ** 63n - 1n);
});

test("a user's subclass of an error recognises its own instances alone (contract 3.19b)", () => {
  class OwnError extends OffsetStoreError {}
  const keys: OffsetKey[] = [];
  const of = { code: "UNKNOWN", operation: "commit", store: "own", keys } as const;
  expect(new OffsetStoreError("plain", of)).not.toBeInstanceOf(OwnError);
  expect(new OwnError("own", of)).toBeInstanceOf(OwnError);
  expect(new OwnError("own", of)).toBeInstanceOf(OffsetStoreError);
});
