import { describeWithServer, launchOrSkip } from "@tidemark/test-support/servers";
import { it, onTestFinished, vi } from "vitest";
import { runUnderFaults } from "./faulty-run.ts";
import { openBackends } from "./open-backends.ts";

const PAUSES = 2;

await describeWithServer("redis", () => {
  it("consumers go on when the broker falls silent for longer than their time-out", async (context) => {
    const server = await launchOrSkip("kafka", context.skip);
    onTestFinished(() => server.stop());
    const { sqlite, redis } = await openBackends();
    await runUnderFaults({
      server,
      partitions: 3,
      consumers: [sqlite, redis].map((backend) => ({ backend, log: { timeout: 1_000, connectTimeout: 1_000 } })),
      writersTimeout: 1_000,
      async faults(run) {
        for (let pause = 0; pause < PAUSES; pause += 1) {
          const { unanswered } = run.writer;
          const failed = run.consumers.map((consumer) => consumer.untilFetchFails("TIMEOUT"));
          server.pause();
          await Promise.all(failed);
          await vi.waitUntil(() => run.writer.unanswered > unanswered, { timeout: 60_000 });
          server.resume();
          await run.untilAllGoOn();
        }
      },
    });
  });
});
