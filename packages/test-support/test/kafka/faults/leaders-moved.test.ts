import { describeWithServer, launchOrSkip, untilKafkaIsInSync } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { runUnderFaults } from "./faulty-run.ts";
import { moveLeaders } from "./move-leaders.ts";
import { openBackends } from "./open-backends.ts";

const MOVES = 3;
const DEATHS = 2;

await describeWithServer("redis", () => {
  it("consumers follow leaders that move again and again, by order and by death", async ({ skip }) => {
    const server = await launchOrSkip("kafka-cluster", skip);
    onTestFinished(() => server.stop());
    const { sqlite, redis } = await openBackends();
    const { consumers, writer } = await runUnderFaults({
      server,
      partitions: 6,
      consumers: [sqlite, redis].map((backend) => ({ backend, log: { timeout: 60_000, connectTimeout: 1_000 } })),
      async faults(run) {
        for (let move = 0; move < MOVES; move += 1) {
          await moveLeaders(server.urls, run.topic);
          await run.untilAllGoOn();
        }
        for (const node of server.nodes.slice(0, DEATHS)) {
          await untilKafkaIsInSync(server.urls, run.topic);
          await node.kill();
          await run.untilAllGoOn();
          await node.restart();
          await run.untilAllGoOn();
        }
      },
    });
    // A leader that moves is looked up and asked anew: nobody hears of it.
    for (const { events } of consumers) expect(events.filter(({ type }) => type === "fetch-failed")).toEqual([]);
    expect(writer.unanswered).toBe(0);
  });
});
