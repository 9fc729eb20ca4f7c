import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConsumerStateError, createConsumer } from "@tidemark/core";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { expect, onTestFinished, test } from "vitest";

test("a partition of a group that is lost while a transaction is open: the transaction was rolled back, and the member goes on (contract 5.27d, 8.6)", async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-lost-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, "tidemark.db");
  await using source = await openLocalLog({ file, synchronous: "normal" });
  await source.admin.createTopic("orders", { partitions: 1 });
  await source.producer.produce("orders", 0, [{ value: Buffer.from("x") }, { value: Buffer.from("y") }]);
  await using store = await openSqliteStore({ file, synchronous: "normal" });
  await using another = await openSqliteStore({ file, synchronous: "normal" });
  const key = { consumer: "c1", topic: "orders", partition: 0 };
  const revoked: string[] = [];
  await using consumer = await createConsumer({
    ...{ source, store, topic: "orders", consumer: "c1", lease: 1_000, untilEnd: true },
    onEvent: (event) => (event.type === "revoked" ? revoked.push(event.reason) : undefined),
  });
  const stored: bigint[] = [];
  const refused: unknown[] = [];
  for await (const record of consumer) {
    if (refused.length === 0) {
      // An operator takes it out of the member's hands, and lets go of it.
      await another.reset([{ key, nextOffset: 0n }]);
    }
    try {
      await consumer.transact(record, () => undefined);
      stored.push(record.offset);
    } catch (error) {
      refused.push(error);
    }
  }
  expect(refused).toHaveLength(1);
  expect(refused[0]).toBeInstanceOf(ConsumerStateError);
  expect(refused[0]).toMatchObject({
    code: "NOT_HELD",
    message: expect.stringContaining("the transaction was rolled back"),
  });
  expect(revoked).toEqual(["reset"]);
  expect(stored).toEqual([0n, 1n]);
});
