import { describeWithServer, launchOrSkip, untilKafkaIsInSync } from "@tidemark/test-support/servers";
import { it, onTestFinished } from "vitest";
import { runUnderFaults } from "./faulty-run.ts";
import { openBackends } from "./open-backends.ts";

await describeWithServer("redis", () => {
  it("consumers go on with the new leaders when one of three brokers falls silent, and when it wakes up", async (context) => {
    const server = await launchOrSkip("kafka-cluster", context.skip);
    onTestFinished(() => server.stop());
    const { sqlite, redis } = await openBackends();
    await runUnderFaults({
      server,
      partitions: 6,
      consumers: [sqlite, redis].map((backend) => ({ backend, log: { timeout: 2_000, connectTimeout: 1_000 } })),
      writersTimeout: 2_000,
      async faults(run) {
        for (const node of server.nodes.slice(0, 2)) {
          await untilKafkaIsInSync(server.urls, run.topic);
          node.pause();
          // Whoever led is silent, not gone: the others have to take over.
          await run.untilAllGoOn();
          node.resume();
          await run.untilAllGoOn();
        }
      },
    });
  });
});
