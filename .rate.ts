import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createConsumer } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource } from "@tidemark/test-support";
const source = createMemorySource();
await source.admin.createTopic("t", { partitions: 1 });
const N = 1_000_000;
for (let i = 0; i < N; i += 50_000) await source.producer.produce("t", 0, Array.from({ length: 50_000 }, () => ({ value: Buffer.from("x") })));
async function run(how: string) {
  const consumer = await createConsumer({ source, topic: "t", store: createMemoryStore(), consumer: "c", untilEnd: true });
  const t = performance.now();
  if (how === "loop") for await (const _ of consumer);
  else if (how === "batches") for await (const _ of consumer.batches());
  else await consumer.process(() => {});
  const ms = performance.now() - t;
  await consumer.close();
  return Math.round(N / ms);
}
const hear = () => {};
for (let i = 0; i < 4; i += 1) for (const how of ["loop", "batches", "process"]) {
  const without = await run(how);
  let withS;
  if (process.argv[2]) { subscribe("tidemark:deliver", hear); withS = await run(how); unsubscribe("tidemark:deliver", hear); }
  console.log(how, without, withS, "records/ms");
}
