import { createConsumer, openOffsetSession, whereToRead } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";
import { ordersLog, take } from "./orders.ts";

test("a session with a client of its own begins where a consumer would, and keeps what was chosen (contract 6.9)", async () => {
  const source = await ordersLog(10, 4);
  source.deleteRecords("orders", 2, 6n);
  const store = createMemoryStore();
  const keyOf = (partition: number) => ({ consumer: "c1", topic: "orders", partition });
  const stored = [
    { key: keyOf(0), nextOffset: 4n },
    { key: keyOf(2), nextOffset: 3n },
    { key: keyOf(3), nextOffset: 50n },
  ];
  await store.reset([...stored, ...stored.map((entry) => ({ ...entry, key: { ...entry.key, consumer: "c2" } }))]);
  const choice = { start: { fromEnd: 1 }, resetPolicy: "earliest" };
  const partitions = [0, 1, 2, 3];
  await using session = await openOffsetSession({ store, consumer: "c1", topic: "orders", partitions });
  const positions = partitions.map((partition) => ({ partition, nextOffset: session.position(partition) }));
  const listOffsets = source.listOffsets.bind(source, "orders");
  const chosen = await whereToRead({ topic: "orders", listOffsets, positions, ...choice });
  expect(chosen).toMatchObject([
    { partition: 0, nextOffset: 4n, earliest: 0n, latest: 10n },
    { partition: 1, nextOffset: 9n, reason: "start" },
    { partition: 2, nextOffset: 6n, reason: "below-log", earliest: 6n, latest: 10n },
    { partition: 3, nextOffset: 0n, reason: "beyond-log" },
  ]);
  for (const { partition, nextOffset, reason } of chosen) {
    if (reason === "start") session.startAt(partition, nextOffset);
    else if (reason !== undefined) session.resetTo(partition, nextOffset, reason);
  }
  await session.flush();
  await using consumer = await createConsumer({ source, store, topic: "orders", consumer: "c2", ...choice });
  await take(consumer, 20);
  for (const partition of partitions) {
    const [mine] = await store.fetch([keyOf(partition)]);
    expect(mine).toMatchObject({ record: { nextOffset: chosen[partition]?.nextOffset } });
  }
  expect(await store.fetch([{ ...keyOf(2), consumer: "c2" }])).toMatchObject([
    { record: { resetFrom: { nextOffset: 3n, reason: "below-log" } } },
  ]);
});
