import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { makeTopic, openLog, readAll } from "./fixtures/kafka-test-client.ts";

const FIRST = 2 ** 40;
const FURTHEST = 2 ** 31 - 1;

await describeWithServer("kafka", (server) => {
  it("keeps the times of records that are written together, and their order, however far apart they are", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    const write = (...times: number[]) =>
      log.producer.produce(
        topic,
        0,
        times.map((timestampMs) => ({ value: null, timestampMs })),
      );
    const kept = [FIRST, FIRST + FURTHEST, FIRST - FURTHEST, FIRST];
    expect(await write(...kept)).toBe(0n);
    const apart = [FIRST, FIRST + FURTHEST + 1, FIRST, FIRST - FURTHEST - 1, 0, Date.now(), FIRST];
    expect(await write(...apart)).toBe(4n);
    const records = await readAll(log, topic);
    expect(records.map(({ timestampMs }) => timestampMs)).toEqual([...kept, ...apart]);
  });
});
