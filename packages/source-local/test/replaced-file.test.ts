import { mkdir, rename, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { LocalLog } from "@tidemark/source-local";
import { describe, expect, it } from "vitest";
import { readTexts, temporaryFolder, temporaryLog, texts } from "./fixtures/log-folder.ts";

const topic = "t";

async function logWithOneRecord(): Promise<{ log: LocalLog; file: string }> {
  const opened = await temporaryLog();
  await opened.log.admin.createTopic(topic, { partitions: 1 });
  await opened.log.producer.produce(topic, 0, texts("kept"));
  return opened;
}

// Windows does not let an open file be removed.
describe.skipIf(process.platform === "win32")("a file that is removed while it is open", () => {
  it("takes no more records and gives none, and says what to do", async () => {
    const { log, file } = await logWithOneRecord();
    await rm(file);
    const producing = log.producer.produce(topic, 0, texts("lost"));
    const refusal = { name: "LogSourceError", code: "UNAVAILABLE", retryable: false, topic, partition: 0 };
    await expect(producing).rejects.toMatchObject(refusal);
    const gone = `${JSON.stringify(file)} was deleted or replaced while it was open`;
    await expect(producing).rejects.toThrow(gone);
    await expect(producing).rejects.toThrow("close the log and open it again");
    await expect(log.fetch({ topic, partition: 0, offset: 0n, maxBytes: 1, maxWait: 0 })).rejects.toMatchObject(
      refusal,
    );
    await expect(log.listOffsets(topic, [{ partition: 0, timestamp: -1 }])).rejects.toThrow(gone);
    await expect(log.admin.listTopics()).rejects.toThrow(gone);
    await expect(log.admin.createTopic("u", { partitions: 1 })).rejects.toThrow(gone);
    await expect(log.deleteRecords(topic, 0, 1n)).rejects.toThrow(gone);
  });

  it("is missed with its folder, too, and when a file stands where the folder was", async () => {
    const folder = join(await temporaryFolder(), "data");
    await mkdir(folder);
    const { log } = await temporaryLog({ file: join(folder, "log.db") });
    await rm(folder, { recursive: true });
    await expect(log.admin.listTopics()).rejects.toThrow("was deleted or replaced");
    await writeFile(folder, "");
    await expect(log.admin.listTopics()).rejects.toThrow("was deleted or replaced");
  });

  it("is missed when another has taken its place, and found when it is back", async () => {
    const { log, file } = await logWithOneRecord();
    await rename(file, `${file}.moved`);
    await writeFile(file, "");
    await expect(log.producer.produce(topic, 0, texts("lost"))).rejects.toThrow("was deleted or replaced");
    await rename(`${file}.moved`, file);
    expect(await log.producer.produce(topic, 0, texts("after"))).toBe(1n);
  });

  it("is missed when only its write-ahead log is gone, also behind a link to it; nothing acknowledged is", async () => {
    const { log, file } = await logWithOneRecord();
    await symlink(file, `${file}.link`);
    const { log: linked } = await temporaryLog({ file: `${file}.link` });
    await linked.producer.produce(topic, 0, texts("kept too"));
    await rm(`${file}-wal`);
    for (const each of [log, linked]) {
      await expect(each.producer.produce(topic, 0, texts("lost"))).rejects.toThrow('-wal" was deleted or replaced');
      await each.close();
    }
    const { log: again } = await temporaryLog({ file });
    expect(await readTexts(again, topic)).toEqual(["kept", "kept too"]);
  });

  it.each(["", "-wal"])("ends a fetch that waits long before its time is up: %j", async (suffix) => {
    const { log, file } = await logWithOneRecord();
    const waiting = log.fetch({ topic, partition: 0, offset: 1n, maxBytes: 1, maxWait: 60_000 });
    const [ended] = await Promise.allSettled([waiting, rm(`${file}${suffix}`)]);
    expect(ended).toMatchObject({ status: "rejected", reason: { code: "UNAVAILABLE", topic, partition: 0 } });
  });
});

it("knows a position of a file that was removed and made again, though topic and offset are there (contract 7.11)", async () => {
  const { log, file } = await logWithOneRecord();
  const request = { topic, partition: 0, offset: 1n, maxBytes: 1_000, maxWait: 0 };
  const { mark } = await log.fetch({ ...request, offset: 0n });
  await log.close();
  await rm(file);
  const { log: again } = await temporaryLog({ file });
  await again.admin.createTopic(topic, { partitions: 1 });
  await again.producer.produce(topic, 0, texts("new", "also new"));
  await expect(again.fetch({ ...request, mark })).rejects.toMatchObject({
    code: "OFFSET_OUT_OF_RANGE",
    reason: "other-log",
    earliest: 0n,
    latest: 2n,
  });
});
