import { createConsumer } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource } from "@tidemark/test-support";
import { type Comparison, compare } from "./paired.ts";

const RECORDS = 500_000;
const ROUNDS = 15;

/** The consumer with tracking against the same loop without it, on the memory source. */
export async function compareConsumer(): Promise<Comparison[]> {
  const source = createMemorySource();
  await source.admin.createTopic("benchmark", { partitions: 1 });
  const value = Buffer.from("a record of some forty bytes or thereabouts");
  const batch = Array.from({ length: 10_000 }, () => ({ value }));
  for (let made = 0; made < RECORDS; made += batch.length) await source.producer.produce("benchmark", 0, batch);

  const read = async (strategy: "auto" | "manual" | "none"): Promise<number> => {
    const kept = strategy === "none" ? {} : { store: createMemoryStore(), consumer: "benchmark" };
    const consumer = await createConsumer({ source, topic: "benchmark", strategy, untilEnd: true, ...kept });
    let count = 0;
    for await (const record of consumer) {
      count += 1;
      if (strategy === "manual") consumer.commit(record);
    }
    await consumer.close();
    if (count !== RECORDS) throw new Error(`read ${count} of ${RECORDS} records`);
    return count;
  };
  const without = (): Promise<number> => read("none");
  return [
    await compare("consumer, auto, against the same loop without tracking", ROUNDS, () => read("auto"), without),
    await compare("consumer, manual, against the same loop without tracking", ROUNDS, () => read("manual"), without),
  ];
}
