import { stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { expect, test } from "vitest";
import { startIntoPipe } from "../support/start-into-pipe.ts";
import { createWorkspace, eventually, runInShell, type Finished } from "../support/workspace.ts";

/** What a pipe of Linux holds, and what is written into it at once. */
const PIPE_BYTES = 65_536;
const PIECE_BYTES = 4096;

test("killed again and again with its reader standing still, it repeats no more than a piece or two of what the pipe took", async () => {
  await using workspace = await createWorkspace();
  const file = join(workspace.folder, "slow.db");
  // As large as a piece and as a page of a pipe: with smaller ones nobody knows how much of each page is left empty.
  const lineBytes = PIECE_BYTES;
  const total = 300;
  const lines = Array.from({ length: total }, (_, index) => `${index}`.padStart(lineBytes - 1, "0"));
  await using store = await openSqliteStore({ file });
  await using log = await openLocalLog({ file });
  await log.admin?.createTopic("t", { partitions: 1 });
  await log.producer?.produce(
    "t",
    0,
    lines.map((line) => ({ value: Buffer.from(line) })),
  );
  const key = { consumer: "c1", topic: "t", partition: 0 };
  const storedOffset = async (): Promise<number> => {
    const [outcome] = await store.fetch([key]);
    return outcome?.status === "found" ? Number(outcome.record.nextOffset ?? 0) : 0;
  };
  const places = ["--store", `sqlite:${file}`, "--log", `local:${file}`];
  let next = 0;
  for (let kills = 1; kills <= 6; kills += 1) {
    await using reader = await startIntoPipe(workspace, ["consume", "t", "-c", "c1", "--flush", "50", ...places]);
    // A reader that is slow: it takes a little, and the pipe behind it is full.
    for (let taken = 0; taken < 10_000;) taken += await reader.read(1000);
    // Of a page that it has begun to read nothing is free yet.
    const inPipe = PIPE_BYTES - PIECE_BYTES;
    const takenLines = Math.floor((reader.text().length + inPipe) / lineBytes);
    const allowed = Math.ceil((2 * PIECE_BYTES) / lineBytes);
    await eventually(async () => ((await storedOffset()) >= next + takenLines - allowed ? true : undefined), "a flush");
    reader.kill("SIGKILL");
    await reader.ended;
    // What is in the pipe is not lost: its reader lives.
    await reader.readRest();
    const printed = reader.text().split("\n").slice(0, -1);
    expect(printed).toEqual(lines.slice(next, next + printed.length));
    const stored = await storedOffset();
    const repeated = next + printed.length - stored;
    expect(repeated).toBeGreaterThanOrEqual(0);
    expect(repeated).toBeLessThanOrEqual(allowed + Math.ceil((PIPE_BYTES - inPipe) / lineBytes));
    next = stored;
  }
});

test("it ends when its reader has left, though no record comes", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("produce t", "a\n");
  await using reader = await startIntoPipe(workspace, ["consume", "t", "-c", "c1"]);
  await reader.read(PIPE_BYTES);
  await reader.leave();
  expect(await reader.ended).toBe(0);
  expect(reader.text()).toBe("a\n");
  expect(await workspace.out("consumer list --partitions -O json")).toContain('"nextOffset": "1"');
});

test("with its standard output closed it prints nothing, fails, and leaves the position where it is", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("produce t", "a\nb\n");
  await workspace.out("consume t -c c1 -n 1");
  const before = await workspace.out("consumer export");
  const closed = await runInShell(workspace, "tidemark consume t -c c1 --until-end >&-");
  expect(closed).toEqual({
    code: 1,
    stdout: "",
    stderr:
      'tidemark: standard output is closed or ignored: the records would be lost, and the position of consumer "c1" would move past them; open standard output, or redirect it to /dev/null to drop the records\n',
  });
  const exported = await runInShell(workspace, "tidemark consumer export >&-");
  expect(exported).toMatchObject({
    code: 1,
    stderr: "tidemark: standard output is closed or ignored: the positions would be lost; redirect it to a file\n",
  });
  expect(await workspace.out("consumer export")).toBe(before);
  // Dropping them on purpose is another thing.
  expect(await runInShell(workspace, "tidemark consume t -c c1 --until-end > /dev/null")).toMatchObject({ code: 0 });
  expect(await workspace.out("consumer export")).toContain('"nextOffset":"2"');
});

test("on a full disk it fails, and no position is stored that is past the whole lines of the file", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  const line = `${"x".repeat(99)}\n`;
  await workspace.out("produce t", line.repeat(60));
  // The limit of the process's files stands for the disk: the database is far from it, the output is near it, and takes a part of its last piece.
  const limit = 64 * 1024 * 1024;
  const output = join(workspace.folder, "output");
  const leaveRoom = async (bytes: number): Promise<void> => {
    await writeFile(output, "");
    await truncate(output, limit - bytes);
  };
  const run = (command: string): Promise<Finished> =>
    runInShell(workspace, `ulimit -f ${limit / 512} && tidemark ${command} >> output`);
  await leaveRoom(5120);
  const failed = { code: 1, stderr: expect.stringContaining("tidemark: EFBIG: file too large, write\n") as string };
  expect(await run("consume t -c c1 --until-end")).toMatchObject(failed);
  expect((await stat(output)).size).toBe(limit);
  const [position] = JSON.parse(await workspace.out("consumer list --partitions -O json")) as { nextOffset?: string }[];
  expect(Number(position?.nextOffset ?? 0)).toBeLessThanOrEqual(51);
  await workspace.out("consume t -c c1 -n 1");
  await leaveRoom(20);
  expect(await run("consumer export")).toMatchObject(failed);
});

test("it ends when the program that began it reads no more", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("produce t", "a\n");
  const reader = workspace.start(["consume", "t"]);
  await reader.lines(1);
  reader.process.stdout.destroy();
  expect(await reader.ended).toMatchObject({ code: 0, stderr: "" });
});
