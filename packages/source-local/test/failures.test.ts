import { fork } from "node:child_process";
import { once } from "node:events";
import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { LogSourceError } from "@tidemark/core";
import { logUrl, openLocalLog } from "@tidemark/source-local";
import { describe, expect, it, onTestFinished } from "vitest";
import { createLocalLog } from "../src/local-log.ts";
import { openLogDatabase } from "../src/log-database.ts";
import { forkLogProcess, nextReport } from "./fixtures/fork-log-process.ts";
import { readTexts, temporaryFolder, temporaryLog, texts } from "./fixtures/log-folder.ts";

const topic = "t";
const openUnprivileged = fileURLToPath(new URL("fixtures/open-unprivileged.ts", import.meta.url));

describe("opening", () => {
  it("refuses a file that is not SQLite's, names it, and leaves it as it was", async () => {
    const file = join(await temporaryFolder(), "notes.txt");
    await writeFile(file, "not a database ".repeat(100));
    const opened = openLocalLog({ file });
    await expect(opened).rejects.toBeInstanceOf(LogSourceError);
    await expect(opened).rejects.toMatchObject({ code: "CORRUPT_LOG", retryable: false });
    await expect(opened).rejects.toThrow(/notes\.txt" is not a SQLite file; name another/);
    expect(await readFile(file, "utf8")).toBe("not a database ".repeat(100));
  });

  it("refuses tables of its names but of another shape, and of another version", async () => {
    const file = join(await temporaryFolder(), "log.db");
    const database = new DatabaseSync(file);
    database.exec("CREATE TABLE tidemark_log_record (something)");
    await expect(openLocalLog({ file })).rejects.toMatchObject({ code: "CORRUPT_LOG" });
    await expect(openLocalLog({ file })).rejects.toThrow(/log\.db" has tables named tidemark_log_ with other columns/);
    expect(database.prepare("SELECT name FROM sqlite_schema").all()).toHaveLength(1);
    database.close();

    const { log, file: other } = await temporaryLog();
    await log.close();
    const direct = new DatabaseSync(other);
    direct.exec("UPDATE tidemark_log_meta SET value = '99'");
    direct.close();
    await expect(openLocalLog({ file: other })).rejects.toThrow(/version "99"/);
  });

  it("shares a file with tables of others and leaves them and user_version alone", async () => {
    const file = join(await temporaryFolder(), "shared.db");
    const database = new DatabaseSync(file);
    database.exec("PRAGMA user_version = 7; CREATE TABLE other (a); INSERT INTO other VALUES (1)");
    const { log } = await temporaryLog({ file });
    await log.admin.createTopic(topic, { partitions: 1 });
    await log.admin.deleteTopic(topic);
    expect({ ...database.prepare("SELECT a, user_version FROM other, pragma_user_version").get() }).toEqual({
      a: 1,
      user_version: 7,
    });
    database.close();
  });

  it("refuses a folder, and a file in a folder that is not there, which may be a mistyped path", async () => {
    const folder = await temporaryFolder();
    await expect(openLocalLog({ file: folder })).rejects.toThrow(/is a folder/);
    const opening = openLocalLog({ file: join(folder, "a", "b", "log.db") });
    await expect(opening).rejects.toMatchObject({ name: "LogSourceError", code: "UNAVAILABLE", retryable: false });
    const missing = `the folder ${JSON.stringify(join(folder, "a", "b"))} does not exist; create it or check the path`;
    await expect(opening).rejects.toThrow(missing);
    await expect(logUrl.open(`local:${join(folder, "a", "log.db")}`)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    expect(await readdir(folder)).toEqual([]);
    await writeFile(join(folder, "file"), "");
    const below = openLocalLog({ file: join(folder, "file", "log.db") });
    await expect(below).rejects.toMatchObject({ code: "UNAVAILABLE", retryable: false });
    await expect(below).rejects.toThrow(/file" is not a folder; check the path/);
  });

  it("says PERMISSION_DENIED of a file that may not be read, and of a folder that may not be written", async () => {
    const outer = await temporaryFolder();
    await chmod(outer, 0o755);
    const folder = join(outer, "closed");
    await mkdir(folder);
    await writeFile(join(folder, "log.db"), "", { mode: 0o000 });
    await chmod(folder, 0o555);
    for (const name of ["log.db", "new.db"]) {
      const child = fork(openUnprivileged, [join(folder, name)], { execArgv: ["--conditions=@tidemark/source"] });
      const exited = once(child, "exit");
      const [answer] = (await once(child, "message")) as unknown[];
      expect({ name, answer }).toEqual({ name, answer: { code: "PERMISSION_DENIED" } });
      await exited;
    }
    await chmod(folder, 0o755);
  });

  it("refuses options that make no sense before it touches anything", async () => {
    await expect(openLocalLog({ file: "" })).rejects.toThrow(TypeError);
    await expect(openLocalLog({ file: "a\0b" })).rejects.toThrow(TypeError);
    await expect(openLocalLog({ file: "x", synchronous: "off" as "full" })).rejects.toThrow(TypeError);
    await expect(openLocalLog({ file: "x", timeout: 0 })).rejects.toThrow(RangeError);
  });
});

describe("a file that breaks or fills", () => {
  it("says CORRUPT_LOG of a damaged page and names the file", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 1 });
    await log.producer.produce(
      topic,
      0,
      Array.from({ length: 200 }, () => ({ value: new Uint8Array(1_000) })),
    );
    await log.close();
    const damaged = join(await temporaryFolder(), "damaged.db");
    await copyFile(file, damaged);
    const bytes = await readFile(damaged);
    bytes.fill(0xff, 8 * 4_096, bytes.length - 4_096);
    await writeFile(damaged, bytes);
    const reading = (async () => {
      const { log: broken } = await temporaryLog({ file: damaged });
      await readTexts(broken, topic);
    })();
    await expect(reading).rejects.toMatchObject({ code: "CORRUPT_LOG" });
    await expect(reading).rejects.toThrow(/damaged\.db/);
  });

  it("writes nothing of a batch that finds no room, says so, and still reads", async () => {
    const file = join(await temporaryFolder(), "log.db");
    const database = await openLogDatabase({ file, synchronous: "full", timeout: 1_000, maxPages: 40 });
    const log = createLocalLog(database);
    onTestFinished(() => log.close());
    await log.admin.createTopic(topic, { partitions: 1 });
    await log.producer.produce(topic, 0, texts("kept"));
    const tooMuch = Array.from({ length: 100 }, () => ({ value: new Uint8Array(4_000) }));
    await expect(log.producer.produce(topic, 0, tooMuch)).rejects.toMatchObject({
      code: "UNAVAILABLE",
      retryable: true,
      topic,
      partition: 0,
    });
    await expect(log.producer.produce(topic, 0, tooMuch)).rejects.toThrow(/no room/);
    expect(await readTexts(log, topic)).toEqual(["kept"]);
    expect(await log.producer.produce(topic, 0, texts("after"))).toBe(1n);
  });
});

describe("a lock that another process holds", () => {
  it("ends a write with TIMEOUT without stopping the event loop; reads go on", async () => {
    const { log, file } = await temporaryLog({ timeout: 3_000 });
    await log.admin.createTopic(topic, { partitions: 1 });
    const patient = await openLocalLog({ file, timeout: 120_000 });
    onTestFinished(() => patient.close());
    const other = new DatabaseSync(file);
    onTestFinished(() => other.close());
    other.exec("BEGIN IMMEDIATE");
    let turns = 0;
    const counting = setInterval(() => (turns += 1), 5);
    const waiting = patient.producer.produce(topic, 0, texts("a"));
    const writing = log.producer.produce(topic, 0, texts("b"));
    expect(await readTexts(log, topic)).toEqual([]);
    await expect(writing).rejects.toMatchObject({ code: "TIMEOUT", retryable: true });
    await expect.poll(() => turns).toBeGreaterThan(5);
    clearInterval(counting);
    other.exec("ROLLBACK");
    expect(await waiting).toBe(0n);
    expect(await readTexts(log, topic)).toEqual(["a"]);
  });

  it("lets a waiting write go on when the lock is free, be aborted, and end with CLOSED", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 1 });
    const other = new DatabaseSync(file);
    onTestFinished(() => other.close());
    other.exec("BEGIN IMMEDIATE");
    const controller = new AbortController();
    const aborted = log.producer.produce(topic, 0, texts("never"), { signal: controller.signal });
    const patient = log.producer.produce(topic, 0, texts("a"));
    controller.abort(new Error("enough"));
    await expect(aborted).rejects.toThrow("enough");
    other.exec("COMMIT");
    expect(await patient).toBe(0n);
    expect(await readTexts(log, topic)).toEqual(["a"]);
    other.exec("BEGIN IMMEDIATE");
    const late = log.producer.produce(topic, 0, texts("late"));
    await log.close();
    await expect(late).rejects.toMatchObject({ code: "CLOSED" });
    other.exec("ROLLBACK");
  });
});

describe("the process", () => {
  it("ends by itself once nothing is pending, although the log is open and was waited on", async () => {
    const { log, file } = await temporaryLog();
    await log.admin.createTopic(topic, { partitions: 1 });
    await log.producer.produce(topic, 0, texts("a"));
    const reader = forkLogProcess({ do: "read", file, topic, count: 1 });
    await nextReport(reader);
    const [code] = (await once(reader, "exit")) as [number];
    expect(code).toBe(0);
  });
});
