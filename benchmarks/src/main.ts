/**
 * Runs all comparisons, or those named, and prints them as a table; see the README beside this folder for what was measured
 * when.
 */
import { loadavg } from "node:os";
import type { Comparison } from "./paired.ts";

// Loaded when they run: the client of one takes memory and start-up work from the others.
const benchmarks: Readonly<Record<string, () => Promise<Comparison[]>>> = {
  consumer: async () => (await import("./consumer.ts")).compareConsumer(),
  heap: async () => (await import("./heap.ts")).measureHeap(),
  memory: async () => (await import("./memory.ts")).compareMemory(),
  sqlite: async () => (await import("./sqlite.ts")).compareSqlite(),
  postgres: async () => (await import("./postgres.ts")).comparePostgres(),
  redis: async () => (await import("./redis.ts")).compareRedis(),
  mongo: async () => (await import("./mongo.ts")).compareMongo(),
  s3: async () => (await import("./s3.ts")).compareS3(),
  transact: async () => (await import("./transact.ts")).compareTransact(),
  kafka: async () => (await import("./kafka.ts")).compareKafka(),
};

const startedAt = performance.now();
const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !Object.hasOwn(benchmarks, name));
if (unknown === undefined) {
  const comparisons: Comparison[] = [];
  for (const [name, run] of Object.entries(benchmarks)) {
    if (wanted.length === 0 || wanted.includes(name)) comparisons.push(...(await run()));
  }
  // Others on the same cores are in every figure.
  const [minute = 0, , quarter = 0] = loadavg();
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  console.log(`${minutes} min; load average at the end: ${minute.toFixed(1)}, over 15 min ${quarter.toFixed(1)}`);
  const table = Object.fromEntries(
    comparisons.map(({ name, subject, baseline, ratio, lowestRatio, highestRatio, fastestRatio, cpuMicros }) => [
      name,
      {
        "per second": Math.round(subject),
        "compared with": Math.round(baseline),
        ratio: Number(ratio.toFixed(3)),
        "lowest to highest": `${lowestRatio.toFixed(3)} to ${highestRatio.toFixed(3)}`,
        "fastest tenths": Number(fastestRatio.toFixed(3)),
        ...(cpuMicros !== undefined && {
          "CPU us each": Number(cpuMicros.subject.toFixed(2)),
          "the other's": Number(cpuMicros.baseline.toFixed(2)),
        }),
      },
    ]),
  );
  if (comparisons.length > 0) console.table(table);
} else {
  console.error(`there is no benchmark ${JSON.stringify(unknown)}: there are ${Object.keys(benchmarks).join(", ")}`);
  process.exitCode = 2;
}
