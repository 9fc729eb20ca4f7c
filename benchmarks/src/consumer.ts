import { createConsumer, type LogRecord } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource } from "@tidemark/test-support";
import { type Comparison, compare } from "./paired.ts";

const RECORDS = 300_000;
const ROUNDS = 11;

/** What is done with each record: nothing at all, which leaves only the loop to be measured, or the least that anybody does. */
const BODIES: Readonly<Record<string, (record: LogRecord) => void>> = {
  "empty body": () => undefined,
  "body parses 80 bytes of JSON": ({ value }) => {
    JSON.parse(Buffer.from(value ?? []).toString());
  },
};

/** The consumer with tracking against the same loop without it, on the memory source. */
export async function compareConsumer(): Promise<Comparison[]> {
  const source = createMemorySource();
  await source.admin.createTopic("benchmark", { partitions: 1 });
  const value = Buffer.from(
    JSON.stringify({ id: 4711, customer: "c-0815", items: [{ sku: "a", count: 2 }], total: 12.5 }),
  );
  const batch = Array.from({ length: 10_000 }, () => ({ value }));
  for (let made = 0; made < RECORDS; made += batch.length) await source.producer.produce("benchmark", 0, batch);

  const read = async (strategy: "auto" | "manual" | "none", work: (record: LogRecord) => void): Promise<number> => {
    const kept = strategy === "none" ? {} : { store: createMemoryStore(), consumer: "benchmark" };
    const consumer = await createConsumer({ source, topic: "benchmark", strategy, untilEnd: true, ...kept });
    let count = 0;
    for await (const record of consumer) {
      work(record);
      count += 1;
      if (strategy === "manual") consumer.commit(record);
    }
    await consumer.close();
    if (count !== RECORDS) throw new Error(`read ${count} of ${RECORDS} records`);
    return count;
  };
  const comparisons: Comparison[] = [];
  for (const [body, work] of Object.entries(BODIES)) {
    for (const strategy of ["auto", "manual"] as const) {
      comparisons.push(
        await compare(
          `consumer, ${strategy}, ${body}, against the same loop without tracking`,
          ROUNDS,
          () => read(strategy, work),
          () => read("none", work),
        ),
      );
    }
  }
  return comparisons;
}
