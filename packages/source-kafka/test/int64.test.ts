import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { launchOrSkip } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { fetchFrom, makeTopic, openLog, readAll, texts, textsOf } from "./fixtures/kafka-test-client.ts";

const FAR = 2n ** 53n + 1n;

it("reads offsets beyond 2^53 exactly", async ({ skip }) => {
  const server = await launchOrSkip("kafka", skip);
  onTestFinished(() => server.stop());
  const log = await openLog(server, { timeout: 60_000 });
  const topic = await makeTopic(log);
  await log.producer.produce(topic, 0, [
    { value: Buffer.from("a"), timestampMs: 1_000 },
    { value: Buffer.from("b"), timestampMs: 2_000 },
  ]);
  await server.kill();
  moveLogTo(FAR, join(server.nodes[0]?.logFolder ?? "", `${topic}-0`));
  await server.restart();
  await log.producer.produce(topic, 0, texts("c"));
  const records = await readAll(log, topic, FAR);
  expect(textsOf(records)).toEqual(["a", "b", "c"]);
  expect(records.map(({ offset }) => offset)).toEqual([FAR, FAR + 1n, FAR + 2n]);
  const times = [-2, -1, 1_500].map((timestamp) => ({ partition: 0, timestamp }));
  expect((await log.listOffsets(topic, times)).map(({ offset }) => offset)).toEqual([FAR, FAR + 3n, FAR + 1n]);
  expect((await fetchFrom(log, topic, { offset: FAR + 1n })).records[0]?.offset).toBe(FAR + 1n);
  await expect(fetchFrom(log, topic, { offset: 2n ** 53n })).rejects.toMatchObject({
    requested: 2n ** 53n,
    earliest: FAR,
    latest: FAR + 3n,
  });
});

/** Gives a partition of one batch another first offset: that of its file's name, and of the batch. Its checksum leaves that out. */
function moveLogTo(offset: bigint, folder: string): void {
  const segment = (base: bigint, kind: string) => join(folder, `${String(base).padStart(20, "0")}.${kind}`);
  const batch = readFileSync(segment(0n, "log"));
  batch.writeBigInt64BE(offset, 0);
  writeFileSync(segment(offset, "log"), batch);
  for (const kind of ["log", "index", "timeindex"]) rmSync(segment(0n, kind));
  rmSync(join(folder, "leader-epoch-checkpoint"));
}
