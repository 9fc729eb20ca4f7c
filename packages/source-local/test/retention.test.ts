import { DatabaseSync } from "node:sqlite";
import { OffsetOutOfRangeError } from "@tidemark/core";
import { describe, expect, it } from "vitest";
import { boundsOf, readTexts, temporaryLog, texts } from "./fixtures/log-folder.ts";

const topic = "t";
const HOUR_MS = 3_600_000;

function rowsIn(file: string): number {
  const database = new DatabaseSync(file, { readOnly: true, timeout: 5_000 });
  const row = database.prepare("SELECT count(*) AS count FROM tidemark_log_record").get();
  database.close();
  return Number(row?.["count"]);
}

function aged(hours: number, count = 1) {
  const timestampMs = Date.now() - hours * HOUR_MS;
  return Array.from({ length: count }, () => ({ value: Buffer.from(`${hours} h`), timestampMs }));
}

describe("retention by age", () => {
  it("hides what is too old from a log that nobody writes to, and removes it when it is read", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 1 });
    await log.producer.produce(topic, 0, [...aged(3, 10), ...aged(1, 2)]);
    const direct = new DatabaseSync(file, { timeout: 5_000 });
    direct.exec(`UPDATE tidemark_log_topic SET retention_ms = ${2 * HOUR_MS}`);
    // While another process holds the lock nothing can be removed; what can be read does not depend on it.
    direct.exec("BEGIN IMMEDIATE");
    expect(await boundsOf(log, topic)).toEqual([10n, 12n]);
    expect(rowsIn(file)).toBe(12);
    direct.exec("ROLLBACK");
    direct.close();
    await log.close();

    const { log: again } = await temporaryLog({ file });
    const request = { topic, partition: 0, offset: 9n, maxBytes: 100, maxWait: 0 };
    await expect(again.fetch(request)).rejects.toMatchObject({ requested: 9n, earliest: 10n, latest: 12n });
    await expect(again.fetch(request)).rejects.toBeInstanceOf(OffsetOutOfRangeError);
    expect(rowsIn(file)).toBe(2);
    expect(await readTexts(again, topic, 10n)).toEqual(["1 h", "1 h"]);
  });

  it("removes what is due when its partition is written", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 1, retentionMs: HOUR_MS });
    await log.producer.produce(topic, 0, aged(2, 5));
    expect(rowsIn(file)).toBe(0);
    expect(await log.producer.produce(topic, 0, aged(0))).toBe(5n);
    expect(await boundsOf(log, topic)).toEqual([5n, 6n]);
  });

  it("removes only the records before the first that is young enough", async () => {
    const { log } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 1, retentionMs: HOUR_MS });
    await log.producer.produce(topic, 0, [...aged(2), ...aged(0), ...aged(2), ...aged(0)]);
    expect(await boundsOf(log, topic)).toEqual([1n, 4n]);
    expect(await readTexts(log, topic, 1n)).toEqual(["0 h", "2 h", "0 h"]);
  });

  it("keeps the cost of one write bounded, and removes all of it on demand", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 2 });
    await log.producer.produce(topic, 0, aged(3, 8_000));
    await log.producer.produce(topic, 1, aged(3, 8_000));
    const direct = new DatabaseSync(file, { timeout: 5_000 });
    direct.exec(`UPDATE tidemark_log_topic SET retention_ms = ${HOUR_MS}`);
    direct.close();
    await log.producer.produce(topic, 0, aged(0));
    expect(rowsIn(file)).toBe(16_001 - 1_001);
    expect(await boundsOf(log, topic)).toEqual([8_000n, 8_001n]);
    await log.applyRetention();
    expect(rowsIn(file)).toBe(1);
    expect(await boundsOf(log, topic, 1)).toEqual([8_000n, 8_000n]);
  });
});

describe("retention by size", () => {
  it("keeps the newest records that fit, and counts the same after many writes", async () => {
    const { log, file } = await temporaryLog();
    // Ten records of 84 bytes and 16 more each.
    await log.admin.createTopic(topic, { partitions: 1, retentionBytes: 1_000 });
    for (let batch = 0; batch < 50; batch += 1) {
      await log.producer.produce(
        topic,
        0,
        Array.from({ length: 7 }, () => ({ value: new Uint8Array(84) })),
      );
    }
    expect(await boundsOf(log, topic)).toEqual([340n, 350n]);
    expect(rowsIn(file)).toBe(10);
  });

  it("keeps the newest record even if it alone is too large", async () => {
    const { log } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 1, retentionBytes: 100 });
    await log.producer.produce(topic, 0, texts("a", "b", "x".repeat(1_000)));
    expect(await boundsOf(log, topic)).toEqual([2n, 3n]);
  });

  it("is applied in full when the topic is altered", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 2 });
    for (const partition of [0, 1]) {
      await log.producer.produce(
        topic,
        partition,
        Array.from({ length: 12_000 }, () => ({ value: new Uint8Array(4) })),
      );
    }
    await log.admin.alterTopic(topic, { retentionBytes: 2_000 });
    expect(rowsIn(file)).toBe(200);
    expect(await boundsOf(log, topic, 1)).toEqual([11_900n, 12_000n]);
  });
});

describe("deleteRecords", () => {
  it("removes in steps, tells the new start, and does nothing when it was done already", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 1 });
    await log.producer.produce(
      topic,
      0,
      Array.from({ length: 12_000 }, () => ({ value: null })),
    );
    expect(await log.deleteRecords(topic, 0, 11_000n)).toBe(11_000n);
    expect(await log.deleteRecords(topic, 0, 5n)).toBe(11_000n);
    expect(rowsIn(file)).toBe(1_000);
    await expect(log.deleteRecords(topic, 0, 12_001n)).rejects.toMatchObject({ requested: 12_001n, latest: 12_000n });
    await expect(log.deleteRecords(topic, 0, -1n)).rejects.toThrow(RangeError);
    expect(await log.deleteRecords(topic, 0, 12_000n)).toBe(12_000n);
    expect(rowsIn(file)).toBe(0);
    expect(await log.producer.produce(topic, 0, [{ value: null }])).toBe(12_000n);
  });
});

describe("deleting a topic", () => {
  it("leaves no row of it behind, and none of another's away", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic("a", { partitions: 3 });
    await log.admin.createTopic("b", { partitions: 1 });
    for (const partition of [0, 1, 2]) {
      await log.producer.produce(
        "a",
        partition,
        Array.from({ length: 4_000 }, () => ({ value: null })),
      );
    }
    await log.producer.produce("b", 0, texts("kept"));
    await log.admin.deleteTopic("a");
    expect(rowsIn(file)).toBe(1);
    expect(await readTexts(log, "b")).toEqual(["kept"]);
  });

  it("is finished by the next process if the first one died in the middle", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic("a", { partitions: 1 });
    await log.producer.produce("a", 0, texts("1", "2"));
    const direct = new DatabaseSync(file, { timeout: 5_000 });
    direct.exec(`
      INSERT INTO tidemark_log_dropped SELECT topic_id FROM tidemark_log_topic;
      DELETE FROM tidemark_log_partition; DELETE FROM tidemark_log_topic;
    `);
    direct.close();
    await log.admin.createTopic("a", { partitions: 1 });
    expect(await readTexts(log, "a")).toEqual([]);
    await log.applyRetention();
    expect(rowsIn(file)).toBe(0);
  });
});
