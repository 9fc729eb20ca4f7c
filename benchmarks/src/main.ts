/**
 * Runs all comparisons, or those named, and prints them as a table; see the README beside this folder for what was measured
 * when.
 */
import type { Comparison } from "./paired.ts";

// Loaded when they run: the client of one takes memory and start-up work from the others.
const benchmarks: Readonly<Record<string, () => Promise<Comparison[]>>> = {
  consumer: async () => (await import("./consumer.ts")).compareConsumer(),
  memory: async () => (await import("./memory.ts")).compareMemory(),
  sqlite: async () => (await import("./sqlite.ts")).compareSqlite(),
  redis: async () => (await import("./redis.ts")).compareRedis(),
  mongo: async () => (await import("./mongo.ts")).compareMongo(),
  s3: async () => (await import("./s3.ts")).compareS3(),
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !Object.hasOwn(benchmarks, name));
if (unknown === undefined) {
  const comparisons: Comparison[] = [];
  for (const [name, run] of Object.entries(benchmarks)) {
    if (wanted.length === 0 || wanted.includes(name)) comparisons.push(...(await run()));
  }
  console.table(
    Object.fromEntries(
      comparisons.map(({ name, subject, baseline, ratio, lowestRatio, highestRatio }) => [
        name,
        {
          "per second": Math.round(subject),
          "held against": Math.round(baseline),
          ratio: Number(ratio.toFixed(3)),
          "lowest to highest": `${lowestRatio.toFixed(3)} to ${highestRatio.toFixed(3)}`,
        },
      ]),
    ),
  );
} else {
  console.error(`there is no benchmark ${JSON.stringify(unknown)}: there are ${Object.keys(benchmarks).join(", ")}`);
  process.exitCode = 2;
}
