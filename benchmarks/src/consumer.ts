import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { createConsumer, type LogRecord } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { createMemorySource } from "@tidemark/test-support";
import { type Comparison, compare } from "./paired.ts";

const RECORDS = 300_000;
const ROUNDS = 31;

/** What is done with each record: nothing at all, which leaves only the loop to be measured, or the least that anybody does. */
const BODIES: Readonly<Record<string, (record: LogRecord) => void>> = {
  "empty body": () => undefined,
  "body parses 80 bytes of JSON": ({ value }) => {
    JSON.parse(Buffer.from(value ?? []).toString());
  },
};

const JSON_BODY = "body parses 80 bytes of JSON";
const BATCHES = `consumer, batches(), auto, ${JSON_BODY}, against a bare loop of fetches`;

/** The consumer with tracking against the same loop without it, on the memory source. */
export async function compareConsumer(): Promise<Comparison[]> {
  const names = Object.keys(BODIES).flatMap((body) => [`auto, ${body}`, `manual, ${body}`]);
  const comparisons: Comparison[] = [];
  for (const name of [BATCHES, ...names]) comparisons.push(await compareInOwnProcess(name));
  return comparisons;
}

/** A program has one way of reading: with all of them in one process the compiler optimizes for none. */
async function compareInOwnProcess(name: string): Promise<Comparison> {
  const script = fileURLToPath(import.meta.url);
  // A collection that is asked for throws compiled code away, and that is most of what would be measured.
  const flags = process.execArgv.filter((flag) => flag !== "--expose-gc");
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, script, name]);
  return JSON.parse(stdout) as Comparison;
}

async function compareHere(name: string): Promise<Comparison> {
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
  const readBatches = async (work: (record: LogRecord) => void): Promise<number> => {
    const kept = { store: createMemoryStore(), consumer: "benchmark" };
    const consumer = await createConsumer({ source, topic: "benchmark", untilEnd: true, ...kept });
    let count = 0;
    for await (const { records } of consumer.batches({ maxRecords: 500 })) {
      for (const record of records) work(record);
      count += records.length;
    }
    await consumer.close();
    if (count !== RECORDS) throw new Error(`read ${count} of ${RECORDS} records`);
    return count;
  };
  const fetchAll = async (work: (record: LogRecord) => void): Promise<number> => {
    let count = 0;
    for (let offset = 0n; count < RECORDS;) {
      const request = { topic: "benchmark", partition: 0, offset, maxBytes: 1_048_576, maxWait: 0 };
      const { records, nextOffset } = await source.fetch(request);
      for (const record of records) work(record);
      count += records.length;
      offset = nextOffset;
    }
    return count;
  };
  if (name === BATCHES) {
    // Against nothing at all, on a source in memory, a loop over arrays is all that there would be to measure.
    const work = BODIES[JSON_BODY] ?? (() => undefined);
    return compare(
      name,
      ROUNDS,
      () => readBatches(work),
      () => fetchAll(work),
    );
  }
  const strategy = name.startsWith("auto") ? "auto" : "manual";
  const work = BODIES[name.slice(strategy.length + 2)] ?? (() => undefined);
  return compare(
    `consumer, ${name}, against the same loop without tracking`,
    ROUNDS,
    () => read(strategy, work),
    () => read("none", work),
  );
}

const [, script, wanted] = process.argv;
if (script === fileURLToPath(import.meta.url) && wanted !== undefined) {
  process.stdout.write(JSON.stringify(await compareHere(wanted)));
}
