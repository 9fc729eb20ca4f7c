import { hostname } from "node:os";
import { expect, test } from "vitest";
import { installStoreWith } from "../support/install-package.ts";
import { createWorkspace, eventually, numberedLines, untilStored, type Workspace } from "../support/workspace.ts";

const FIRST_START = 'topic "t" partition "0": consumer "c1" has no position yet; starts at 0\n';

async function storedOffset({ out }: Workspace, consumer: string): Promise<number> {
  const positions = JSON.parse(await out("consumer list --partitions -O json")) as {
    consumer: string;
    nextOffset?: string;
  }[];
  return Number(positions.find((position) => position.consumer === consumer)?.nextOffset ?? -1);
}

// SIGHUP: the terminal was closed.
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  test(`${signal} stores the position of what was printed, and exits with 0`, async () => {
    await using workspace = await createWorkspace();
    await workspace.out("topic create t");
    await workspace.out("produce t", numberedLines(1, 5));
    const reader = workspace.start(["consume", "t", "-c", "c1", "--flush", "600000"]);
    await reader.lines(5);
    reader.kill(signal);
    expect(await reader.ended).toEqual({ code: 0, stdout: numberedLines(1, 5), stderr: FIRST_START });
    expect(await storedOffset(workspace, "c1")).toBe(5);
  });
}

test("Ctrl-C during the last flush waits for it", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("produce t", numberedLines(1, 5));
  await installStoreWith(
    workspace,
    "commit",
    `return async (entries, ...call) => {
      // Where it starts is stored before.
      if (entries.every(({ nextOffset }) => nextOffset !== 5n)) return await store.commit(entries, ...call);
      const connection = setInterval(() => {}, 1000);
      const answered = new Promise((resolve) => process.once("SIGUSR2", resolve));
      process.stderr.write("committing\\n");
      await answered;
      clearInterval(connection);
      return await store.commit(entries, ...call);
    };`,
  );
  const reader = workspace.start("consume t -c c1 --until-end --flush 600000 --store foo:x".split(" "));
  await reader.said("committing");
  reader.kill("SIGINT");
  reader.kill("SIGUSR2");
  expect(await reader.ended).toMatchObject({ code: 0, stdout: numberedLines(1, 5) });
  expect(await workspace.out("consumer export --store sqlite:foo.db")).toContain('"nextOffset":"5"');
});

test("Ctrl-C while the reader of a pipe has stopped reading leaves all the same, and nothing unread is skipped", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("produce t", numberedLines(1, 200_000));
  const reader = workspace.start(["consume", "t", "-c", "c1", "--flush", "50"]);
  await reader.lines(1);
  reader.process.stdout.pause();
  await eventually(async () => ((await storedOffset(workspace, "c1")) > 0 ? true : undefined), "a first flush");
  reader.kill("SIGINT");
  await new Promise((resolve) => reader.process.once("exit", resolve));
  reader.process.stdout.resume();
  const { code, stdout } = await reader.ended;
  expect(code).toBe(0);
  const printed = stdout.split("\n").length - 1;
  const position = await storedOffset(workspace, "c1");
  expect(position).toBeGreaterThan(0);
  expect(position).toBeLessThanOrEqual(printed);
});

test("a reader that has seen enough is no failure: what was written is committed", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("produce t", numberedLines(1, 100_000));
  const reader = workspace.start(["consume", "t", "-c", "c1"]);
  await reader.lines(3);
  reader.process.stdout.destroy();
  const { code, stderr } = await reader.ended;
  expect({ code, stderr }).toEqual({ code: 0, stderr: FIRST_START });
  const position = await storedOffset(workspace, "c1");
  expect(position).toBeGreaterThanOrEqual(3);
  expect(position).toBeLessThan(100_000);
});

test("kill -9 never leaves the position ahead of what was printed, and the next one misses nothing", async () => {
  await using workspace = await createWorkspace();
  const total = 200_000;
  await workspace.out("topic create t");
  await workspace.out("produce t", numberedLines(1, total));
  let printedUpTo = 0;
  for (let round = 1; round <= 4; round += 1) {
    const reader = workspace.start(["consume", "t", "-c", "c1", "--flush", "5"]);
    await reader.lines(round * 2500);
    reader.kill("SIGKILL");
    const { stdout } = await reader.ended;
    const lines = stdout.split("\n").slice(0, -1).map(Number);
    const first = lines[0] ?? 0;
    expect(first).toBeLessThanOrEqual(printedUpTo + 1);
    expect(lines).toEqual(Array.from({ length: lines.length }, (_, index) => first + index));
    printedUpTo = Math.max(printedUpTo, lines.at(-1) ?? 0);
    expect(await storedOffset(workspace, "c1")).toBeLessThanOrEqual(printedUpTo);
  }
  const rest = (await workspace.out("consume t -c c1 --until-end")).split("\n").slice(0, -1).map(Number);
  expect(rest[0] ?? total + 1).toBeLessThanOrEqual(printedUpTo + 1);
  expect(Math.max(printedUpTo, rest.at(-1) ?? 0)).toBe(total);
});

test("of two processes with one name the newer takes over if it is told to, and the older waits for it", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("produce t", numberedLines(1, 3));
  const older = workspace.start(["consume", "t", "-c", "c1", "--flush", "100"]);
  await older.lines(3);
  await untilStored(workspace, 3);
  const newer = workspace.start(["consume", "t", "-c", "c1", "--flush", "100", "--verbose", "--takeover"]);
  await newer.said("continues at");
  await workspace.out("produce t", numberedLines(4, 6));
  await older.said(`topic "t" partition "0": taken over by "${hostname()}:${newer.pid}"; waiting until it ends`);
  const lines = await newer.lines(3);
  expect(lines.slice(-3)).toEqual(["4", "5", "6"]);
  newer.kill("SIGINT");
  expect((await newer.ended).code).toBe(0);
  expect(await storedOffset(workspace, "c1")).toBe(6);
});

test("a topic recreated and shorter: the position goes back once, what it says is counted, and it goes on", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 10));
  await out("consume t -c c1 --until-end --store sqlite:s.db");
  // The position lies in another store than the one that this delete cascades to.
  await out("topic delete t");
  await out("topic create t");
  await out("produce t", numberedLines(101, 103));
  const again = await run(["consume", "t", "-c", "c1", "--until-end", "--store", "sqlite:s.db"]);
  expect(again).toEqual({
    code: 0,
    stdout: numberedLines(101, 103),
    stderr: `topic "t" partition "0": offset 10 belongs to another log: the topic was recreated; policy earliest continues at 0\n`,
  });
  await out("produce t", numberedLines(104, 104));
  expect(await out("consume t -c c1 --until-end --store sqlite:s.db")).toBe(numberedLines(104, 104));
});
