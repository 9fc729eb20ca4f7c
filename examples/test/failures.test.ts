import { randomUUID } from "node:crypto";
import { Producer } from "@platformatic/kafka";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { openBench, openPositions, storedPositions } from "./fixtures/bench.ts";
import { kafkajsExamples, platformaticExamples, withConfluentExamples } from "./fixtures/client-examples.ts";
import { type ClientExamples, startAtLeastOnce, surroundingsOf } from "./fixtures/declare-client-tests.ts";
import { describeWithServers } from "./fixtures/describe-with-servers.ts";
import { ExampleProcess } from "./fixtures/example-process.ts";

async function declareFailureTests(examples: ClientExamples): Promise<void> {
  await describeWithServers((servers) => {
    it("a record that the work throws at comes again, and none is passed over", async () => {
      const bench = await openBench(servers.kafka);
      const store = await openPositions(servers.redis.url, bench.consumer);
      await bench.produce(10);
      const poisoned = new ExampleProcess(
        "test/workers/throw-at-poison.ts",
        [examples.folder, bench.topic, bench.consumer],
        surroundingsOf(servers, examples),
        examples.nodeArguments ?? [],
      );
      if (examples.byGroup === true) {
        // kafkajs asks again by itself.
        await poisoned.until("it came again", () => poisoned.offsetsOf(0).filter((offset) => offset === 5).length > 1);
        await poisoned.end("SIGKILL");
      } else {
        expect(await poisoned.ended()).toBe(1);
        expect(poisoned.errors).toContain("poison");
      }
      expect([...new Set(poisoned.offsetsOf(0))]).toEqual([0, 1, 2, 3, 4, 5]);
      expect(await storedPositions(store, bench)).toEqual([5]);
      const mended = startAtLeastOnce(servers, examples, bench);
      await mended.until("the rest is handled", () => mended.offsetsOf(0).at(-1) === 9);
      expect(mended.offsetsOf(0)).toEqual([5, 6, 7, 8, 9]);
    });

    it("stops where the policy refuses to go on, and leaves the position for somebody to look at", async () => {
      const bench = await openBench(servers.kafka);
      const store = await openPositions(servers.redis.url, bench.consumer);
      await bench.produce(10);
      await bench.log.deleteRecords(bench.topic, 0, 5n);
      await store.reset([{ key: { consumer: bench.consumer, topic: bench.topic, partition: 0 }, nextOffset: 2n }]);
      const env = { ...examples.env, POLICY: "none" };
      const refusing = startAtLeastOnce(servers, { ...examples, env }, bench);
      expect(await refusing.ended()).toBe(1);
      expect(refusing.errors).toContain("OffsetOutOfRangeError");
      expect(refusing.records).toEqual([]);
      expect(await storedPositions(store, bench)).toEqual([2]);
    });

    it("goes on at a time where the policy names one", async () => {
      const bench = await openBench(servers.kafka);
      const store = await openPositions(servers.redis.url, bench.consumer);
      const { log, topic, consumer } = bench;
      const minutesAgo = (minutes: number) => Date.now() - minutes * 60_000;
      const values = Array.from({ length: 10 }, (_, index) => Buffer.from(String(index)));
      await log.producer.produce(
        topic,
        0,
        values.map((value, index) => ({ value, timestampMs: minutesAgo(100 - index * 10) })),
      );
      await log.deleteRecords(topic, 0, 5n);
      await store.reset([{ key: { consumer, topic, partition: 0 }, nextOffset: 2n }]);
      const env = { ...examples.env, POLICY: "by_duration:PT25M" };
      const example = startAtLeastOnce(servers, { ...examples, env }, bench);
      await example.until("the rest is handled", () => example.offsetsOf(0).at(-1) === 9);
      expect(example.offsetsOf(0)).toEqual([8, 9]);
      expect(example.errors).toContain(`${topic}/0: no offset 2 any more; on at 8, 6 offsets skipped`);
      expect(await example.end("SIGTERM"), example.errors).toBe(0);
      // No record is as late: the log's end.
      await store.reset([{ key: { consumer, topic, partition: 0 }, nextOffset: 2n }]);
      const late = startAtLeastOnce(servers, { ...examples, env: { ...env, POLICY: "by_duration:PT5M" } }, bench);
      await late.until("it has said so", () =>
        late.errors.includes("no offset 2 any more; on at 10, 8 offsets skipped"),
      );
      expect(await late.end("SIGTERM"), late.errors).toBe(0);
      expect(await storedPositions(store, bench)).toEqual([10]);
    });

    it("goes on behind transactions and values of nothing", async () => {
      const bench = await openBench(servers.kafka);
      const store = await openPositions(servers.redis.url, bench.consumer);
      const { log, topic } = bench;
      const producer = new Producer<string, string, string, string>({
        clientId: "test",
        bootstrapBrokers: servers.kafka.urls.map((url) => new URL(url).host),
        idempotent: true,
        transactionalId: randomUUID(),
        // The broker makes its own topic of transactions with the first one.
        ...{ retries: 30, timeout: 120_000 },
      });
      onTestFinished(() => producer.close(true));
      const inTransaction = async (end: "commit" | "abort", ...values: string[]) => {
        const [before] = await log.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
        const transaction = await producer.beginTransaction();
        const messages = values.map((value) => ({ topic, partition: 0, value: Buffer.from(value) }));
        await transaction.send({ messages: messages as never });
        await transaction[end]();
        // The coordinator answers before the marker is there.
        const isMarked = async (): Promise<boolean> => {
          const [after] = await log.listOffsets(topic, [{ partition: 0, timestamp: -1 }]);
          return after?.offset === (before?.offset ?? 0n) + BigInt(values.length) + 1n;
        };
        await vi.waitUntil(isMarked, { timeout: 60_000 });
      };
      await inTransaction("commit", "a", "b");
      await inTransaction("abort", "aborted");
      await log.producer.produce(topic, 0, [{ key: Buffer.from("k"), value: null }, { value: Buffer.from("") }]);
      await inTransaction("commit", "c");
      await inTransaction("abort", "aborted too");
      const example = startAtLeastOnce(servers, examples, bench);
      await example.until("all is handled", () => example.records.some(({ value }) => value === "c"));
      expect(example.records.map(({ offset, value }) => [offset, value])).toEqual([
        [0, "a"],
        [1, "b"],
        // Its own consumer hands out what was aborted, whatever isolation it is asked for (2.12.1).
        ...(examples === platformaticExamples ? [[3, "aborted"]] : []),
        [5, "undefined"],
        [6, ""],
        [7, "c"],
      ]);
      expect(await example.end("SIGTERM")).toBe(0);
      // At the marker, or past it.
      expect((await storedPositions(store, bench))[0]).toBeGreaterThanOrEqual(8);
      const next = startAtLeastOnce(servers, examples, bench);
      await log.producer.produce(topic, 0, [{ value: Buffer.from("next") }]);
      await next.until("the next is handled", () => next.records.length > 0);
      expect(next.records).toEqual([{ partition: 0, offset: 11, value: "next" }]);
    });
  });
}

describe("kafkajs", async () => {
  await declareFailureTests(kafkajsExamples);
});
describe("@platformatic/kafka", async () => {
  await declareFailureTests(platformaticExamples);
});
describe("Confluent's client", async () => {
  await withConfluentExamples(declareFailureTests);
});
