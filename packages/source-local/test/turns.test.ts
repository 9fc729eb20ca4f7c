import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { expect, it } from "vitest";
import { temporaryLog, texts } from "./fixtures/log-folder.ts";

const topic = "t";
const small = texts(...Array.from({ length: 2_500 }, (_, index) => String(index)));

it("reads at most 2,000 records at once, and says where the next ones begin (contract 7.2)", async () => {
  const { log } = await temporaryLog({ synchronous: "normal" });
  await log.admin.createTopic(topic, { partitions: 1 });
  await log.producer.produce(topic, 0, small);
  const request = { topic, partition: 0, maxBytes: 2 ** 30, maxWait: 0 };
  const first = await log.fetch({ ...request, offset: 0n });
  expect(first.records).toHaveLength(2_000);
  expect(first.nextOffset).toBe(2_000n);
  const second = await log.fetch({ ...request, offset: first.nextOffset });
  expect(second.records).toHaveLength(500);
  expect(second.nextOffset).toBe(2_500n);
});

it("lets others run between the reads of two partitions", async () => {
  const { log } = await temporaryLog({ synchronous: "normal" });
  await log.admin.createTopic(topic, { partitions: 4 });
  for (const partition of [0, 1, 2, 3]) await log.producer.produce(topic, partition, small);
  let turns = 0;
  let isReading = true;
  const count = (): void => {
    turns += 1;
    if (isReading) setImmediate(count);
  };
  setImmediate(count);
  const read = await Promise.all(
    [0, 1, 2, 3].map(async (partition) => {
      await log.fetch({ topic, partition, offset: 0n, maxBytes: 2 ** 30, maxWait: 0 });
      return turns;
    }),
  );
  isReading = false;
  expect(new Set(read).size).toBe(4);
});

it("lets timers run where a fetch begins beside one that waits, right after somebody else's write", async () => {
  const { log, file } = await temporaryLog({ synchronous: "normal" });
  await log.admin.createTopic(topic, { partitions: 2 });
  using other = new DatabaseSync(file);
  other.exec("CREATE TABLE others (x)");
  const fetchOf = (partition: number): Promise<unknown> =>
    log.fetch({ topic, partition, offset: 0n, maxBytes: 1_000, maxWait: 1_000 });
  const first = fetchOf(0);
  // Longer than the looks that follow the last write.
  await pause(400);
  other.exec("INSERT INTO others VALUES (1)");
  const order: string[] = [];
  const second = fetchOf(1).then(() => order.push("fetch"));
  const timer = pause(1).then(() => order.push("timer"));
  await Promise.all([first, second, timer]);
  expect(order).toEqual(["timer", "fetch"]);
});
