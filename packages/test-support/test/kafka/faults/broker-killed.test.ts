import { describeWithServer, launchOrSkip } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { runUnderFaults } from "./faulty-run.ts";
import { openBackends } from "./open-backends.ts";

const KILLS = 3;

await describeWithServer("redis", () => {
  it("consumers go on when the only broker is killed and restarted again and again", async (context) => {
    const server = await launchOrSkip("kafka", context.skip);
    onTestFinished(() => server.stop());
    const { sqlite, redis } = await openBackends();
    const { consumers, writer } = await runUnderFaults({
      server,
      partitions: 3,
      consumers: [
        { backend: sqlite, log: { timeout: 180_000 } },
        { backend: redis, log: { timeout: 300, connectTimeout: 2_000 } },
      ],
      async faults(run) {
        for (let kill = 0; kill < KILLS; kill += 1) {
          const failed = run.consumers[1]?.untilFetchFails("UNAVAILABLE");
          await server.kill();
          await failed;
          await server.restart();
          await run.untilAllGoOn();
        }
      },
    });
    // A time-out that outlives the outage: nobody hears of it.
    expect(consumers[0]?.events.filter(({ type }) => type === "fetch-failed")).toEqual([]);
    expect(writer.unanswered).toBe(0);
  });
});
