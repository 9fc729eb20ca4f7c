import { describeWithServer, launchOrSkip } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { advertiseThroughProxy } from "./advertise-through-proxy.ts";
import { runUnderFaults } from "./faulty-run.ts";
import { openBackends } from "./open-backends.ts";

// Within the answer's length, its header, a batch's header, and somewhere in the records.
const BYTES_OF_ANSWER = [2, 20, 70, 130, 300];

await describeWithServer("redis", () => {
  it("consumers go on when their connection is cut in the middle of a fetch's answer, or a write's answer is lost", async (context) => {
    const server = await launchOrSkip("kafka", context.skip);
    onTestFinished(() => server.stop());
    const proxy = await advertiseThroughProxy(server);
    onTestFinished(() => proxy.close());
    const { sqlite, redis } = await openBackends();
    const { writer, consumers } = await runUnderFaults({
      server,
      partitions: 3,
      consumers: [sqlite, redis].map((backend) => ({ backend, log: {} })),
      async faults(run) {
        for (const bytes of BYTES_OF_ANSWER) {
          // Of a fetch that is answered with records: the writer goes on writing.
          await proxy.cutWithinAnswer(bytes, { match: ({ name }) => name === "Fetch" });
          await run.untilAllGoOn();
          await proxy.cutBeforeRequest({ match: ({ name }) => name === "Fetch" });
          await proxy.cutAfterRequest({ match: ({ name }) => name === "Produce" });
          await run.untilAllGoOn();
        }
        proxy.dropConnections();
        await run.untilAllGoOn();
        proxy.cut();
        proxy.restore();
        await run.untilAllGoOn();
      },
    });
    expect(proxy.requests.some(({ name }) => name === "Fetch")).toBe(true);
    for (const { events } of consumers) expect(events.filter(({ type }) => type === "fetch-failed")).toEqual([]);
    // What was sent again because its answer was lost is written once: see the values that were delivered.
    expect(writer.unanswered).toBe(0);
  });
});
