import { launchOrSkip } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { openBench, openPositions, storedPositions } from "./fixtures/bench.ts";
import { kafkajsExamples, platformaticExamples, withConfluentExamples } from "./fixtures/client-examples.ts";
import { type ClientExamples, startAtLeastOnce } from "./fixtures/declare-client-tests.ts";

// kafkajs gives up after some attempts, and its group then waits 30 s for the member that it was.
const COMES_BACK_WITHIN_MS = 120_000;

await withConfluentExamples(async (confluentExamples) => {
  it("a broker that is killed and started again stops no client's example, nor does a store, and nothing is lost", async ({
    skip,
  }) => {
    const kafka = await launchOrSkip("kafka", skip);
    onTestFinished(() => kafka.stop());
    const redis = await launchOrSkip("redis", skip);
    onTestFinished(() => redis.stop());
    const clients: ClientExamples[] = [kafkajsExamples, platformaticExamples, confluentExamples];
    const running = await Promise.all(
      clients.map(async (examples) => {
        const bench = await openBench(kafka);
        await bench.produce(10);
        const example = startAtLeastOnce({ kafka, redis }, examples, bench);
        await example.until("ten are handled", () => example.records.length === 10);
        return { bench, example };
      }),
    );
    await kafka.restart();
    await Promise.all(
      running.map(async ({ bench, example }) => {
        await bench.produce(10);
        await example.until("the rest is handled", () => example.offsetsOf(0).at(-1) === 19, COMES_BACK_WITHIN_MS);
        expect(new Set(example.offsetsOf(0)).size).toBe(20);
      }),
    );
    await redis.kill();
    await Promise.all(
      running.map(async ({ bench, example }) => {
        await bench.produce(10);
        await example.until("ten more are handled", () => example.offsetsOf(0).at(-1) === 29);
      }),
    );
    await redis.restart();
    await Promise.all(
      running.map(async ({ bench, example }) => {
        const store = await openPositions(redis.url, bench.consumer);
        await example.until("they are stored", async () => (await storedPositions(store, bench))[0] === 30);
        expect(new Set(example.offsetsOf(0)).size).toBe(30);
        expect(await example.end("SIGTERM")).toBe(0);
      }),
    );
  });
});
