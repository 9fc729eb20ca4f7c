import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { expect, test } from "vitest";
import { createWorkspace, numberedLines, untilStored, type Workspace } from "../support/workspace.ts";

const PLAN = "nothing was written: this is a plan; add --execute to write it\n";

interface Row {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly nextOffset: string;
  readonly status: string;
}

async function positions({ out }: Workspace): Promise<Record<string, string | undefined>> {
  const found = JSON.parse(await out("consumer list --partitions -O json")) as Row[];
  return Object.fromEntries(found.map(({ topic, partition, nextOffset }) => [`${topic}/${partition}`, nextOffset]));
}

/** Claims partitions as somebody who has crashed since: who ends lets go. */
async function claimed({ folder }: Workspace, partitions: readonly number[], owner: string): Promise<void> {
  await using store = await openSqliteStore({ file: join(folder, "data", "tidemark", "tidemark.db") });
  await store.claim(
    partitions.map((partition) => ({ key: { consumer: "c1", topic: "t", partition }, token: "token", owner })),
  );
}

test("a plan shows what would change and changes nothing; --execute writes it, and tells what was written", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t --partitions 3");
  await out("produce t", numberedLines(1, 30));
  await out("consume t -c c1 -p 0 -p 1 --until-end");
  const before = await positions(workspace);
  await claimed(workspace, [0, 1], "host:4711");
  expect(await run("consumer reset c1 -t t --to-offset 4".split(" "))).toEqual({
    code: 0,
    stdout: [
      "TOPIC   PARTITION   FROM   TO   CHANGE",
      "t       0           10     4    6 again",
      "t       1           10     4    6 again",
      "t       2           -      4    new",
      "",
    ].join("\n"),
    stderr: `"host:4711" holds 2 of these positions: if it still runs, --execute makes it drop the records in hand and continue from the new position, or stop if it runs with --takeover\n${PLAN}`,
  });
  expect(await positions(workspace)).toEqual(before);
  const executed = await run("consumer reset c1 --topic t --to-offset 4 --execute".split(" "));
  expect(executed.stdout).toBe(
    [
      "TOPIC   PARTITION   FROM   TO   CHANGE    RESULT",
      "t       0           10     4    6 again   written",
      "t       1           10     4    6 again   written",
      "t       2           -      4    new       written",
      "",
    ].join("\n"),
  );
  expect(executed.stderr).toMatch(/ held 2 of these positions: if it still runs[^\n]+\n3 positions written\n$/);
  expect(await positions(workspace)).toEqual({ "t/0": "4", "t/1": "4", "t/2": "4" });
  // Whoever comes next goes on from there.
  expect((await out("consume t -c c1 --all --until-end")).trim().split("\n")).toHaveLength(18);
});

test("without a topic all positions of the consumer move, and those of others stay", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  for (const topic of ["t1", "t2"]) {
    await out(`topic create ${topic} --partitions 2`);
    await out(`produce ${topic}`, numberedLines(1, 6));
  }
  await out("consume t1 -c c1 -p 0 --until-end");
  await out("consume t2 -c c1 -p 1 --until-end");
  await out("consume t1 -c c10 --all --until-end");
  await out("consumer reset c1 --to-earliest --execute");
  expect(
    (JSON.parse(await out("consumer list --partitions -O json")) as Row[]).map(
      ({ consumer, topic, partition, nextOffset }) => [consumer, topic, partition, nextOffset],
    ),
  ).toEqual([
    ["c1", "t1", 0, "0"],
    ["c1", "t2", 1, "0"],
    ["c10", "t1", 0, "3"],
    ["c10", "t1", 1, "3"],
  ]);
  await out("consumer reset c1 -p 1 --to-latest --execute");
  expect(JSON.parse(await out("consumer describe c1 -O json"))).toMatchObject([
    { nextOffset: "0" },
    { nextOffset: "3" },
  ]);
  expect(await run("consumer reset c1 -p 1 -p 7 --to-latest".split(" "))).toMatchObject({
    code: 1,
    stderr: 'tidemark: consumer "c1" has no position on partition "7"; to give it one, name the topic\n',
  });
  await out("topic delete t2 --store memory:");
  expect(await run("consumer reset c1 --to-latest".split(" "))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'has a position on topic "t2", which the log does not have; name the other topics',
    ) as unknown,
  });
});

test("what lies outside of the log is moved into it, with a warning", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t --partitions 2");
  await out("produce t", numberedLines(1, 6));
  const far = await run("consumer reset c1 -t t -p 0 --to-offset 9223372036854775807 -O json --execute".split(" "));
  expect(JSON.parse(far.stdout)).toEqual([
    {
      consumer: "c1",
      topic: "t",
      partition: 0,
      nextOffset: "3",
      metadata: "",
      requested: "9223372036854775807",
      earliest: "0",
      latest: "3",
      status: "written",
    },
  ]);
  expect(far.stderr).toBe(
    'warning: topic "t" partition "0": offset 9223372036854775807 lies beyond the log\'s end, 3 is used\n1 position written\n',
  );
  const back = await run("consumer reset c1 --shift-by -9223372036854775807".split(" "));
  expect(back.stderr).toBe(
    `warning: topic "t" partition "0": offset -9223372036854775804 lies before the log's beginning, 0 is used\n${PLAN}`,
  );
  const late = await run("consumer reset c1 -t t --to-datetime 2999-01-01T00:00:00".split(" "));
  expect(late.stderr).toBe(
    [
      "--to-datetime 2999-01-01T00:00:00 has no zone: read as UTC, 2999-01-01T00:00:00.000Z",
      'warning: topic "t" partition "0": has no record at or after this time, its end 3 is used',
      'warning: topic "t" partition "1": has no record at or after this time, its end 3 is used',
      PLAN,
    ].join("\n"),
  );
  expect(await out("consumer reset c1 -t t --by-duration 1h")).toMatch(/^t +0 +3 +0 +3 again$/m);
});

test("a running consumer goes on from the new position", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 5));
  const reader = workspace.start(["consume", "t", "-c", "c1", "--flush", "20"]);
  await reader.lines(5);
  await untilStored(workspace, 5);
  const { code, stderr } = await run("consumer reset c1 -t t --to-offset 2 --execute".split(" "));
  expect(code).toBe(0);
  expect(stderr).toContain(`"${hostname()}:${reader.pid}" held 1 of these positions: if it still runs`);
  await out("produce t", numberedLines(6, 6));
  await reader.said("reset by an operator; continuing from the new position");
  // Before it was told, and again.
  expect(await reader.lines(10)).toEqual(["1", "2", "3", "4", "5", "6", "3", "4", "5", "6"]);
  reader.kill("SIGINT");
  expect((await reader.ended).code).toBe(0);
  expect(await positions(workspace)).toEqual({ "t/0": "6" });
});

test("a TTL stays, and a new position gets the topic's; metadata stays only with a position that stays", async () => {
  await using workspace = await createWorkspace();
  const { out, folder } = workspace;
  await out("topic create t --partitions 3 --consumer-ttl 24h");
  await out("produce t", numberedLines(1, 9));
  await using store = await openSqliteStore({ file: join(folder, "data", "tidemark", "tidemark.db") });
  const key = (partition: number) => ({ consumer: "c1", topic: "t", partition });
  await store.reset([
    { key: key(0), nextOffset: 1n, metadata: "moves", ttl: 3_600_000 },
    { key: key(1), nextOffset: 2n, metadata: "stays", ttl: null },
  ]);
  await out("consumer reset c1 -t t --to-offset 2 --execute");
  const found = await store.fetch([key(0), key(1), key(2)]);
  expect(
    found.map((outcome) => (outcome.status === "found" ? [outcome.record.metadata, outcome.record.ttl] : [])),
  ).toEqual([
    ["", 3_600_000],
    ["stays", undefined],
    ["", 86_400_000],
  ]);
});

test("a claim without a position is left out unless its topic is named", async () => {
  await using workspace = await createWorkspace();
  const { out, run, folder } = workspace;
  await out("topic create t --partitions 2");
  await out("consume t -c c1 -p 0 --until-end");
  await using store = await openSqliteStore({ file: join(folder, "data", "tidemark", "tidemark.db") });
  await store.claim([{ key: { consumer: "c1", topic: "t", partition: 1 }, token: "token", owner: "somebody" }]);
  const all = await run("consumer reset c1 --to-earliest".split(" "));
  expect(all.stdout.split("\n")).toHaveLength(3);
  expect(all.stderr).toContain("left out: 1 partition claimed without a position yet");
  expect(await run("consumer reset c1 -t t --shift-by 1".split(" "))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(
      'consumer "c1" has no position on topic "t" partition "1", so there is nothing',
    ) as unknown,
  });
  expect(await out("consumer reset c1 -t t --to-earliest")).toMatch(/^t +1 +- +0 +new$/m);
});

test("of many, those before a failure are written and told, and the same command again writes the rest", async () => {
  await using workspace = await createWorkspace();
  const { out, run, folder } = workspace;
  await out("topic create t --partitions 2500");
  await out("consumer list --partitions");
  const file = join(folder, "data", "tidemark", "tidemark.db");
  using database = new DatabaseSync(file);
  const fails = "WHEN NEW.partition = 1500 BEGIN SELECT RAISE(ABORT, 'not now'); END";
  database.exec(`CREATE TRIGGER fails BEFORE INSERT ON tidemark_offsets ${fails}`);
  const failed = await run("consumer reset c1 -t t --to-latest --execute -O json".split(" "));
  expect(failed.code).toBe(1);
  expect(failed.stderr).toMatch(
    /^tidemark: .*not now.*; of 2500 positions 1000 written, 1000 not written, 500 not tried; run the command again\nhelp: \S+#unknown\n$/,
  );
  const statuses = (JSON.parse(failed.stdout) as Row[]).map(({ status }) => status);
  expect(new Set(statuses.slice(0, 1000))).toEqual(new Set(["written"]));
  expect(new Set(statuses.slice(1000, 2000))).toEqual(new Set(["failed"]));
  expect(new Set(statuses.slice(2000))).toEqual(new Set(["not-tried"]));
  expect(Object.keys(await positions(workspace))).toHaveLength(1000);
  expect((await run("consumer reset c1 --shift-by 0 --execute".split(" "))).code).toBe(0);
  database.exec("DROP TRIGGER fails");
  expect((await run("consumer reset c1 -t t --to-latest --execute".split(" "))).stderr).toContain(
    "2500 positions written",
  );
  expect(Object.keys(await positions(workspace))).toHaveLength(2500);
});

test("of two at once both write all of theirs, whichever comes last", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t --partitions 3000");
  await out("produce t", numberedLines(1, 3000));
  const commands = ["--to-earliest", "--to-latest"].map((verb) =>
    run(["consumer", "reset", "c1", "-t", "t", verb, "--execute"]),
  );
  for (const { code, stderr } of await Promise.all(commands)) {
    expect(stderr).toBe("3000 positions written\n");
    expect(code).toBe(0);
  }
  const found = Object.values(await positions(workspace));
  expect(found).toHaveLength(3000);
  expect(found.every((offset) => offset === "0" || offset === "1")).toBe(true);
});

test("a shift does not write a position that has moved meanwhile, and says where it is", async () => {
  await using workspace = await createWorkspace();
  const { out, run, folder } = workspace;
  await out("topic create t --partitions 1200");
  await out("produce t", numberedLines(1, 1200));
  await out("consumer reset c1 -t t --to-latest --execute");
  await out("consumer reset other -t t -p 1100 --to-earliest --execute");
  using database = new DatabaseSync(join(folder, "data", "tidemark", "tidemark.db"));
  // Positions are written in batches: while the first one is, the position of partition 1100 moves.
  const stored = "(SELECT value FROM tidemark_offsets WHERE consumer = 'other')";
  const moves = `UPDATE tidemark_offsets SET value = ${stored}, version = 'moved' WHERE consumer = 'c1' AND partition = 1100`;
  database.exec(`CREATE TRIGGER moves AFTER UPDATE ON tidemark_offsets WHEN NEW.partition = 0 BEGIN ${moves}; END`);
  const moved = await run("consumer reset c1 --shift-by -1 --execute -O json".split(" "));
  expect(moved.code).toBe(1);
  expect(moved.stderr).toMatch(
    /^tidemark: topic "t" partition "1100" has moved from 1 to 0 since the reset was planned, and was not written: plan the reset again; of 1200 positions 1199 written, 1 moved meanwhile; running the command again would shift the written positions once more: name the others/,
  );
  expect((JSON.parse(moved.stdout) as Row[]).filter(({ status }) => status !== "written")).toMatchObject([
    { partition: 1100, from: "1", status: "moved", current: "0" },
  ]);
  database.exec("DROP TRIGGER moves");
  expect((await positions(workspace))["t/1100"]).toBe("0");
  // What it wrote is read as a plan, too.
  const plan = (JSON.parse(moved.stdout) as object[]).map((row) => ({ ...row, nextOffset: "1" }));
  await out("consumer import --execute", JSON.stringify(plan));
  expect(await out("consumer export c1")).toContain('"partition":1100,"nextOffset":"1"');
});
