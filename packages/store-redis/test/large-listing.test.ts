import { fork } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";

const TOPICS = 50;
const PARTITIONS = 2_000;
const RECORDS = TOPICS * PARTITIONS;
const METADATA_BYTES = 600;
/** Of one listing's process: too small for what it reads. */
const HEAP_MEGABYTES = 40;

await describeWithServer("redis", ({ url }) => {
  it("lists 100,000 records in a heap that cannot hold them (contract 3.12c)", async () => {
    const namespace = randomUUID();
    const store = await openRedisStore({ url, namespace, timeout: 60_000 });
    onTestFinished(() => store.close());
    const metadata = "x".repeat(METADATA_BYTES);
    for (let topic = 0; topic < TOPICS; topic += 1) {
      const entries = Array.from({ length: PARTITIONS }, (_, partition) => ({
        key: { consumer: "c", topic: `t${topic}`, partition },
        nextOffset: 1n,
        metadata,
      }));
      await store.reset(entries);
    }
    const script = fileURLToPath(new URL("workers/lister.ts", import.meta.url));
    const execArgv = ["--conditions=@tidemark/source", "--no-warnings", `--max-old-space-size=${HEAP_MEGABYTES}`];
    const child = fork(script, [url, namespace], { execArgv });
    onTestFinished(() => void child.kill("SIGKILL"));
    const died = once(child, "exit").then(([code]) => `the process ended without an answer (${String(code)})`);
    const answer = await Promise.race([once(child, "message").then(([message]): unknown => message), died]);
    expect(answer).toEqual({ records: RECORDS, bytes: RECORDS * METADATA_BYTES });
    await store.delete({ consumer: "c" });
  });
});
