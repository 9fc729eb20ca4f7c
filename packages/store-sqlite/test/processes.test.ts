import { once } from "node:events";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";
import { answerOf, forkWorker } from "./fork-worker.ts";
import { collect, openHandle, openStore } from "./open-store.ts";
import { temporaryFolder } from "./temporary-folder.ts";

it("counts to exactly 8 x 50 when two processes of four claim and commit one key", async () => {
  const file = join(await temporaryFolder(), "race.db");
  // Nobody has made the file: who makes it is a race too.
  const children = [forkWorker("race", file, "4", "50"), forkWorker("race", file, "4", "50")];
  const fenced = await Promise.all(children.map(answerOf));
  const { store } = await openStore({ file });
  expect(await collect(store.list())).toMatchObject([{ consumer: "race", nextOffset: 400n }]);
  expect(fenced.map(Number).every((count) => count >= 0)).toBe(true);
});

it("shows all or nothing of a batch that another process writes (contract 3.1g)", async () => {
  const file = join(await temporaryFolder(), "batches.db");
  const { store } = await openStore({ file });
  const keys = Array.from({ length: 100 }, (_, partition) => ({ consumer: "batches", topic: "orders", partition }));
  const child = forkWorker("batch-writer", file, String(keys.length), "200");
  const ended = answerOf(child);
  let writing = true;
  void ended.finally(() => (writing = false)).catch(() => undefined);
  const torn: unknown[] = [];
  while (writing) {
    const outcomes = await store.fetch(keys);
    const positions = new Set(outcomes.map((each) => (each.status === "found" ? each.record.nextOffset : undefined)));
    if (positions.size > 1) torn.push([...positions]);
  }
  await ended;
  expect(torn).toEqual([]);
});

it("makes a new file for eight processes that open it at once", async () => {
  const file = join(await temporaryFolder(), "new.db");
  await Promise.all(Array.from({ length: 8 }, () => answerOf(forkWorker("race", file, "1", "1"))));
  const { store } = await openStore({ file });
  expect(await collect(store.list())).toMatchObject([{ nextOffset: 8n }]);
});

it("keeps every acknowledged position of a process that is killed while it writes", async () => {
  const file = join(await temporaryFolder(), "killed.db");
  const child = forkWorker("endless-writer", file);
  let acknowledged = 0n;
  const enough = Promise.withResolvers<void>();
  child.on("message", (message) => {
    acknowledged = BigInt(message as string);
    if (acknowledged >= 100n) enough.resolve();
  });
  await Promise.race([enough.promise, once(child, "exit")]);
  child.kill("SIGKILL");
  if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
  expect(acknowledged).toBeGreaterThanOrEqual(100n);
  const { store } = await openStore({ file });
  const [record] = await collect(store.list());
  expect(record?.nextOffset).toBeGreaterThanOrEqual(acknowledged);
  expect(openHandle(file).prepare("PRAGMA integrity_check").get()).toEqual({ integrity_check: "ok" });
});

it.skipIf(process.platform === "win32")(
  "says so when it may not read, write or make the file (contract 3.3e)",
  async () => {
    const folder = await temporaryFolder();
    await chmod(folder, 0o755);
    const closed = join(folder, "closed");
    await mkdir(closed);
    new DatabaseSync(join(closed, "readonly.db")).close();
    await writeFile(join(closed, "secret.db"), "", { mode: 0o000 });
    await (await openSqliteStore({ file: join(closed, "readonly.db") })).close();
    await chmod(join(closed, "readonly.db"), 0o444);
    await chmod(closed, 0o555);
    for (const name of ["readonly.db", "secret.db", "new.db"]) {
      const file = join(closed, name);
      const answer = await answerOf(forkWorker("unprivileged", file));
      expect(answer).toMatchObject({ code: "PERMISSION_DENIED" });
      expect((answer as { message: string }).message).toContain(file);
    }
    await chmod(closed, 0o755);
  },
);
