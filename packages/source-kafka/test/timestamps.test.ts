import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { makeTopic, openLog, readAll } from "./fixtures/kafka-test-client.ts";

const FIRST = 2 ** 40;
const FURTHEST = 2 ** 31 - 1;

await describeWithServer("kafka", (server) => {
  it("keeps the times of records that are written together, and refuses those that it could not keep", async () => {
    const log = await openLog(server);
    const topic = await makeTopic(log);
    const write = (...times: number[]) =>
      log.producer.produce(
        topic,
        0,
        times.map((timestampMs) => ({ value: null, timestampMs })),
      );
    const kept = [FIRST, FIRST + FURTHEST, FIRST - FURTHEST, FIRST];
    await write(...kept);
    await expect(write(FIRST, FIRST + FURTHEST + 1)).rejects.toThrow(RangeError);
    await expect(write(FIRST, FIRST - FURTHEST - 1)).rejects.toThrow(/24 days/);
    const records = await readAll(log, topic);
    expect(records.map(({ timestampMs }) => timestampMs)).toEqual(kept);
  });
});
