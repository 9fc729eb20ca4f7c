import { getEventListeners } from "node:events";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { fetchFrom, makeTopic, openLog } from "./fixtures/kafka-test-client.ts";
import { openOlderBrokerForTest } from "./fixtures/older-broker.ts";

const PARTITIONS = 200;
const FETCH = 1;
// Not cut down: the newest version of each request that is sent.
const NEWEST = { 1: 13, 3: 12, 18: 0 };

await describeWithServer("kafka", (server) => {
  it("waits for many partitions with one listener on their signal and one request to the broker", async () => {
    const first = await openLog(server);
    const topic = await makeTopic(first, PARTITIONS);
    // A broker that has not yet taken over all of a new topic's partitions answers at once.
    const partitions = Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, timestamp: -1 }));
    await first.listOffsets(topic, partitions);
    let fetches = 0;
    const broker = await openOlderBrokerForTest(server, NEWEST, (request, answer) => {
      if (request === FETCH) fetches += 1;
      return answer;
    });
    const log = await openLog(broker);
    await log.partitions(topic);
    const controller = new AbortController();
    const { signal } = controller;
    const reason = new Error("enough");
    const waiting = Array.from({ length: PARTITIONS }, (_, partition) =>
      fetchFrom(log, topic, { partition, maxWait: 1_000, signal }),
    );
    // The end of a wait is all the same one.
    for (const { records } of await Promise.all(waiting)) expect(records).toEqual([]);
    expect(fetches).toBeLessThanOrEqual(3);

    const again = Array.from({ length: PARTITIONS }, (_, partition) =>
      fetchFrom(log, topic, { partition, maxWait: 60_000, signal }).catch((error: unknown) => error),
    );
    expect(getEventListeners(signal, "abort").length).toBeLessThanOrEqual(1);
    controller.abort(reason);
    expect(new Set(await Promise.all(again))).toEqual(new Set([reason]));
    expect(getEventListeners(signal, "abort")).toHaveLength(0);
  });

  it("waits with the longest time-out that there is", async () => {
    const warnings: string[] = [];
    // Files before this one in the process may still be warned of something else.
    const onWarning = ({ name, message }: Error): void => {
      if (name === "TimeoutOverflowWarning") warnings.push(message);
    };
    process.on("warning", onWarning);
    onTestFinished(() => void process.off("warning", onWarning));
    const log = await openLog(server, { timeout: 2 ** 31 - 1, connectTimeout: 2 ** 31 - 1 });
    const topic = await makeTopic(log);
    expect((await fetchFrom(log, topic, { maxWait: 1_000 })).records).toEqual([]);
    // A timer that is to wait for longer ends at once.
    expect(warnings).toEqual([]);
  });
});
