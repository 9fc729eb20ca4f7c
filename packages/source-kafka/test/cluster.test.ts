import type { LogRecord } from "@tidemark/core";
import { kafkaLeadersOf, launchOrSkip, untilKafkaIsInSync } from "@tidemark/test-support/servers";
import { describe, expect, it, onTestFinished } from "vitest";
import { fetchFrom, openLog, texts, textsOf, topicName } from "./fixtures/kafka-test-client.ts";

const PARTITIONS = 6;

describe("three brokers", () => {
  it("reads on from the new leaders when brokers die one after the other, and misses and repeats nothing", async ({
    skip,
  }) => {
    const server = await launchOrSkip("kafka-cluster", skip);
    onTestFinished(() => server.stop());
    const log = await openLog(server, { timeout: 60_000 });
    const topic = topicName();
    await log.admin.createTopic(topic, { partitions: PARTITIONS });
    const leaders = await kafkaLeadersOf(server.url, topic);
    expect(new Set(leaders).size).toBe(3);

    // Reads all partitions at once, from all brokers, as a consumer does.
    const stop = new AbortController();
    const seen = new Map<number, string[]>();
    const readers = Array.from({ length: PARTITIONS }, async (_, partition) => {
      const values: string[] = [];
      seen.set(partition, values);
      let offset = 0n;
      while (!stop.signal.aborted) {
        const { records, nextOffset } = await fetchFrom(log, topic, {
          partition,
          offset,
          maxWait: 1_000,
          signal: stop.signal,
        });
        expect(records.map((record: LogRecord) => record.offset)).toEqual(
          records.map((_r, index) => offset + BigInt(index)),
        );
        values.push(...textsOf(records).map(String));
        offset = nextOffset;
      }
    });
    const reading = Promise.allSettled(readers);

    const written = Array.from({ length: PARTITIONS }, (): string[] => []);
    const writeEverywhere = async (what: string) => {
      for (let partition = 0; partition < PARTITIONS; partition += 1) {
        const value = `${what} ${partition}`;
        await log.producer.produce(topic, partition, texts(value));
        written[partition]?.push(value);
      }
    };
    const untilAllSeen = async () => {
      while (written.some((values, partition) => seen.get(partition)?.length !== values.length)) {
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await writeEverywhere("all are there");
    await untilAllSeen();
    for (const index of [0, 1, 2]) {
      await untilKafkaIsInSync(server.urls, topic);
      await server.nodes[index]?.kill();
      await writeEverywhere(`broker ${index + 1} is down`);
      await untilAllSeen();
      await server.nodes[index]?.restart();
      await writeEverywhere(`broker ${index + 1} is back`);
      await untilAllSeen();
    }
    stop.abort(new Error("enough"));
    await reading;
    expect([...seen.values()]).toEqual(written);
    expect(await kafkaLeadersOf(server.url, topic)).not.toEqual(leaders);
    const ends = await log.listOffsets(
      topic,
      written.map((_, partition) => ({ partition, timestamp: -1 })),
    );
    expect(ends.map(({ offset }) => offset)).toEqual(written.map(({ length }) => BigInt(length)));
  });
});
