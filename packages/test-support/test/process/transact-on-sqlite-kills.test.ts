import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { openLocalLog } from "@tidemark/source-local";
import { expect, onTestFinished, test } from "vitest";

const RECORDS = 100_000;
const KILLS = 50;
/** About as long as a transaction takes. */
const LONGEST_LIFE_MS = 8;
const worker = fileURLToPath(new URL("transact-on-sqlite-worker.ts", import.meta.url));

test(`killed ${KILLS} times in the middle of transact() on batches of 500: every result is in the file once (contract 5.27a)`, async () => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-transact-kills-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [logFile, file] = [join(folder, "log.db"), join(folder, "app.db")];
  {
    await using log = await openLocalLog({ file: logFile, synchronous: "normal" });
    await log.admin.createTopic("orders", { partitions: 1 });
    await log.producer.produce(
      "orders",
      0,
      Array.from({ length: RECORDS }, () => ({ value: Buffer.from("x") })),
    );
  }
  const reader = new DatabaseSync(file);
  onTestFinished(() => reader.close());
  reader.exec("CREATE TABLE results (number INTEGER NOT NULL) STRICT");
  const look = () =>
    reader
      .prepare(
        "SELECT count(*) AS count, count(DISTINCT number) AS different, coalesce(max(number) + 1, 0) AS next FROM results",
      )
      .get() as { readonly count: number; readonly different: number; readonly next: number };
  let inTheMiddle = 0;
  for (let life = 0; life <= KILLS; life += 1) {
    const options = ["--conditions=@tidemark/source", "--disable-warning=ExperimentalWarning"];
    const child = spawn(process.execPath, [...options, worker, logFile, file], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    onTestFinished(() => void child.kill("SIGKILL"));
    const exited = once(child, "exit");
    let begun = 0;
    child.stdout.on("data", (text: Buffer) => (begun += text.toString().split("\n").length - 1));
    const before = look().next;
    if (life < KILLS) {
      await Promise.race([once(child.stdout, "data"), exited]);
      await pause(Math.random() * LONGEST_LIFE_MS);
      child.kill("SIGKILL");
    }
    await exited;
    const { count, different, next } = look();
    expect({ life, count, different }).toEqual({ life, count: next, different: next });
    if (begun > (next - before) / 500) inTheMiddle += 1;
  }
  expect(look()).toEqual({ count: RECORDS, different: RECORDS, next: RECORDS });
  expect(inTheMiddle).toBeGreaterThan(0);
}, 240_000);
