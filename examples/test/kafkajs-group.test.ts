import { randomUUID } from "node:crypto";
import { Admin } from "@platformatic/kafka";
import { expect, it, onTestFinished } from "vitest";
import { openBench, openPositions, storedPositions, upTo } from "./fixtures/bench.ts";
import { kafkajsExamples } from "./fixtures/client-examples.ts";
import { startAtLeastOnce } from "./fixtures/declare-client-tests.ts";
import { describeWithServers } from "./fixtures/describe-with-servers.ts";

const PARTITIONS = [0, 1, 2, 3];

await describeWithServers((servers) => {
  it("processes of one group share the partitions, also when they come and go in the middle: nothing is lost, none stops", async () => {
    const bench = await openBench(servers.kafka, PARTITIONS.length);
    const store = await openPositions(servers.redis.url, bench.consumer);
    const group = randomUUID();
    const start = () =>
      startAtLeastOnce(servers, { ...kafkajsExamples, env: { GROUP: group } }, bench, PARTITIONS.length);
    const reads = (process: ReturnType<typeof start>, from: number) =>
      new Set(process.records.slice(from).map(({ partition }) => partition));
    const producing = bench.produceSteadily();
    const first = start();
    await first.until("it reads all", () => reads(first, 0).size === 4);
    const second = start();
    await second.until("it reads two", () => reads(second, 0).size === 2);
    // They have what the other has not.
    const begun = first.records.length;
    await first.until("it goes on", () => first.records.length > begun + 200);
    expect(new Set([...reads(first, begun), ...reads(second, 0)]).size).toBe(4);
    expect(reads(first, begun).size).toBe(2);
    expect(await first.end("SIGTERM")).toBe(0);
    const alone = second.records.length;
    await second.until("it reads all", () => reads(second, alone).size === 4);
    const third = start();
    await third.until("it reads two", () => reads(third, 0).size === 2);
    const produced = await producing.stop();
    await third.until("all is stored", async () => {
      const positions = await storedPositions(store, bench, PARTITIONS.length);
      return positions.every((position, partition) => position === produced[partition]);
    });
    expect([await second.end("SIGTERM"), await third.end("SIGTERM")]).toEqual([0, 0]);
    for (const partition of PARTITIONS) {
      const offsets = [first, second, third].flatMap((process) => process.offsetsOf(partition));
      expect([...new Set(offsets)].toSorted((a, b) => a - b)).toEqual(upTo(produced[partition] ?? 0));
      // Whoever gives a partition up has flushed: the next one begins where it ended.
      expect(offsets).toHaveLength(produced[partition] ?? 0);
    }
    // Kafka has no position of the group.
    const admin = new Admin({ clientId: "test", bootstrapBrokers: [new URL(servers.kafka.url).host] });
    onTestFinished(() => admin.close());
    const [offsets] = await admin.listConsumerGroupOffsets({ groups: [group] });
    expect(offsets?.topics ?? []).toEqual([]);
  });
});
