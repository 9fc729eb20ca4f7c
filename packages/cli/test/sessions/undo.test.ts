import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { expect, test } from "vitest";
import { cells, createWorkspace, numberedLines, type Workspace } from "../support/workspace.ts";

const PLAN = "nothing was written: this is a plan; add --execute to write it\n";
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown;
const AGO = expect.stringMatching(/^operator, \d+ (sec|min) ago$/) as unknown;

async function positions({ out }: Workspace): Promise<Record<string, string | undefined>> {
  const found = JSON.parse(await out("consumer list --partitions -O json")) as {
    readonly topic: string;
    readonly partition: number;
    readonly nextOffset?: string;
  }[];
  return Object.fromEntries(found.map(({ topic, partition, nextOffset }) => [`${topic}/${partition}`, nextOffset]));
}

/** The rows of a table without its headings. */
function rows(table: string): string[][] {
  return cells(table).slice(1);
}

const storeFile = ({ folder }: Workspace): string => join(folder, "data", "tidemark", "tidemark.db");

test("a reset is shown: where the position was, why it was moved, and when", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t --partitions 2");
  await out("produce t", numberedLines(1, 6));
  await out("consume t -c c1 --all --until-end");
  expect(cells(await out("consumer list --partitions"))[0]).toEqual([
    ...["CONSUMER", "TOPIC", "PARTITION", "OFFSET", "LAG", "TTL", "OWNER"],
  ]);
  await out("consumer reset c1 -t t -p 1 --to-earliest --execute");
  // The column is there as soon as one position has something for it.
  expect(cells(await out("consumer list --partitions"))).toEqual([
    ["CONSUMER", "TOPIC", "PARTITION", "OFFSET", "LAG", "TTL", "OWNER", "RESET FROM"],
    ["c1", "t", "0", "3", "0", "-", "-", "-"],
    ["c1", "t", "1", "0", "3", "-", "-", expect.stringMatching(/^3 \(operator, \d+ (sec|min) ago\)$/)],
  ]);
  const resetFrom = { nextOffset: "3", reason: "operator", at: TIME };
  for (const command of ["consumer list --partitions -O json", "consumer describe c1 -O json"]) {
    const [untouched, moved] = JSON.parse(await out(command)) as object[];
    expect(untouched).not.toHaveProperty("resetFrom");
    expect(moved).toMatchObject({ partition: 1, nextOffset: "0", resetFrom });
  }
  expect(await out("consumer list --partitions -O yaml")).toMatch(
    /^ {2}resetFrom:\n {4}nextOffset: "3"\n {4}reason: operator\n {4}at: \S+$/m,
  );
  const described = await out("consumer describe c1");
  expect(described).toMatch(/^Partition: 0\n(.+\n)+Updated: \S+\nReset: -\nMetadata: -$/m);
  expect(described).toMatch(
    /^Partition: 1\n(.+\n)+Reset: from 3 \(operator\) at \S+Z \(\d+ (sec|min) ago\)\nMetadata: -$/m,
  );
  // As with all times, it stays in the store that it is of; what shows it can be imported all the same.
  expect(await out("consumer export")).not.toContain("resetFrom");
  const listed = await out("consumer list --partitions -O json");
  expect(await run("consumer import --store sqlite:other.db --execute".split(" "), { input: listed })).toMatchObject({
    code: 0,
  });
  expect(await out("consumer list --partitions -O json --store sqlite:other.db")).not.toContain("resetFrom");
});

test("an undo is planned, then goes back; a second one takes that back", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t --partitions 2 --consumer-ttl 24h");
  await out("produce t", numberedLines(1, 12));
  await out("consume t -c c1 --all --until-end");
  await out("consumer reset c1 -t t --to-offset 2 --execute");
  // However far it has read since.
  await out("consume t -c c1 -p 1 -n 1");
  const before = await positions(workspace);
  expect(before).toEqual({ "t/0": "2", "t/1": "3" });
  const plan = await run("consumer reset c1 --undo".split(" "));
  expect(plan).toMatchObject({ code: 0, stderr: PLAN });
  expect(cells(plan.stdout)).toEqual([
    ["TOPIC", "PARTITION", "FROM", "TO", "CHANGE", "UNDOES"],
    ["t", "0", "2", "6", "4 skipped", AGO],
    ["t", "1", "3", "6", "3 skipped", AGO],
  ]);
  expect(await positions(workspace)).toEqual(before);
  const executed = await run("consumer reset c1 --topic t --undo --execute".split(" "));
  expect(executed).toMatchObject({ code: 0, stderr: "2 positions written\n" });
  expect(cells(executed.stdout)).toEqual([
    ["TOPIC", "PARTITION", "FROM", "TO", "CHANGE", "UNDOES", "RESULT"],
    ["t", "0", "2", "6", "4 skipped", AGO, "written"],
    ["t", "1", "3", "6", "3 skipped", AGO, "written"],
  ]);
  expect(await positions(workspace)).toEqual({ "t/0": "6", "t/1": "6" });
  expect(JSON.parse(await out("consumer reset c1 -p 1 --undo --execute -O json"))).toEqual([
    {
      consumer: "c1",
      topic: "t",
      partition: 1,
      from: "6",
      nextOffset: "3",
      metadata: "",
      readAgain: "3",
      earliest: "0",
      latest: "6",
      undoes: { nextOffset: "3", reason: "operator", at: TIME },
      status: "written",
    },
  ]);
  expect(await positions(workspace)).toEqual({ "t/0": "6", "t/1": "3" });
  expect(await out("consumer list --partitions -O json")).toContain('"ttl": 86400000');
  expect(await out("consume t -c c1 --all --until-end")).toBe("8\n10\n12\n");
});

test("the plan of an undo can be kept, and written later", async () => {
  await using workspace = await createWorkspace();
  const { out, folder } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 5));
  await out("consume t -c c1 --until-end");
  await out("consumer reset c1 --to-earliest --execute");
  await writeFile(join(folder, "plan.json"), await out("consumer reset c1 --undo -O json"));
  await out("consumer import plan.json --execute");
  expect(await positions(workspace)).toEqual({ "t/0": "5" });
});

test("what was never reset, or had no position before, is named and left alone", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t --partitions 5");
  await out("produce t", numberedLines(1, 10));
  await out("topic create gone");
  await out("consume gone -c c1 --until-end");
  await out("topic delete gone --store memory:");
  await out("consume t -c c1 -p 0 -p 1 --until-end");
  await out("consumer reset c1 -t t -p 0 --to-earliest --execute");
  await using store = await openSqliteStore({ file: storeFile(workspace) });
  const key = (partition: number) => ({ consumer: "c1", topic: "t", partition });
  await store.claim([2, 4].map((partition) => ({ key: key(partition), token: "token", owner: "somebody" })));
  await store.reset([{ key: key(2), nextOffset: 1n }]);
  const before = await positions(workspace);
  const ofTopic = await run("consumer reset c1 -t t --undo --execute".split(" "));
  expect(rows(ofTopic.stdout)).toEqual([["t", "0", "0", "2", "2 skipped", AGO, "written"]]);
  expect(ofTopic).toMatchObject({
    code: 0,
    stderr: [
      'not changed, no reset to undo: topic "t" partition "1", topic "t" partition "3", topic "t" partition "4"',
      'not changed, no position before the reset: topic "t" partition "2"; to remove its position, use tidemark consumer delete',
      "1 position written",
      "",
    ].join("\n"),
  });
  expect(await positions(workspace)).toEqual({ ...before, "t/0": "2" });
  expect((await store.fetch([key(4)]))[0]).toMatchObject({ record: { owner: "somebody" } });
  // Without a topic the log is asked of no topic on which nothing is undone: one of them it does not have any more.
  const ofAll = await run("consumer reset c1 --undo".split(" "));
  expect(rows(ofAll.stdout)).toEqual([["t", "0", "2", "0", "2 again", AGO]]);
  expect(ofAll.stderr).toContain(
    'not changed, no reset to undo: topic "gone" partition "0", topic "t" partition "1", topic "t" partition "4"\n',
  );
});

test("nothing to undo is a failure that says why", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t --partitions 3");
  await out("consume t -c c1 -p 0 -p 1 --until-end");
  expect(await run("consumer reset c1 --undo --execute".split(" "))).toEqual({
    code: 1,
    stdout: "",
    stderr: 'tidemark: consumer "c1" has no reset to undo on topic "t" partition "0" and 1 more\n',
  });
  expect(await run("consumer reset c1 -t t -p 2 --undo".split(" "))).toMatchObject({
    code: 1,
    stderr: 'tidemark: consumer "c1" has no reset to undo on topic "t" partition "2"\n',
  });
  for (const [args, message] of [
    ["nobody --undo", 'consumer "nobody" has no position'],
    ["c1 -p 2 --undo", 'consumer "c1" has no position on partition "2"'],
  ] as const) {
    expect(await run(["consumer", "reset", ...args.split(" ")])).toMatchObject({
      code: 1,
      stderr: `tidemark: ${message}\n`,
    });
  }
  await using store = await openSqliteStore({ file: storeFile(workspace) });
  const key = { consumer: "c2", topic: "t", partition: 0 };
  await store.claim([{ key, token: "token", owner: "somebody" }]);
  await store.reset([{ key, nextOffset: 0n }]);
  expect(
    cells(await out("consumer list --partitions"))
      .at(-1)
      ?.at(-1),
  ).toMatch(/^- \(operator, \d+ (sec|min) ago\)$/);
  expect(await out("consumer describe c2")).toMatch(/^Reset: from no position \(operator\) at \S+Z \(/m);
  expect(await run("consumer reset c2 --undo".split(" "))).toMatchObject({
    code: 1,
    stderr:
      'tidemark: consumer "c2" had no position before its reset on topic "t" partition "0", so there is nothing to go back to; to remove the position, delete it\n',
  });
});

test("a reset policy's reset is undone, with a warning where the log does not have the position", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 3));
  await run("consumer import -c c1 --execute".split(" "), { input: "t,0,99\n" });
  await out("consume t -c c1 --until-end");
  expect(JSON.parse(await out("consumer list --partitions -O json"))).toMatchObject([
    { nextOffset: "3", resetFrom: { nextOffset: "99", reason: "beyond-log", at: TIME } },
  ]);
  expect(await run("consumer reset c1 --undo".split(" "))).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^t +0 +3 +3 +stays +beyond-log, \d+ (sec|min) ago$/m) as unknown,
    stderr: `warning: topic "t" partition "0": offset 99 lies beyond the log's end, 3 is used\n${PLAN}`,
  });
});

test("that the records before the position are others now is a warning", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 3));
  await out("consume t -c c1 -n 2");
  await out("topic delete t --store memory:");
  await out("topic create t");
  await out("produce t", numberedLines(4, 9));
  expect(await out("consume t -c c1 --until-end")).toBe(numberedLines(4, 9));
  expect(await run("consumer reset c1 --undo".split(" "))).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^t +0 +6 +2 +4 again +other-log, \d+ (sec|min) ago$/m) as unknown,
    stderr: `warning: topic "t" partition "0": was reset because the topic was recreated: offset 2 belongs to the deleted topic\n${PLAN}`,
  });
  await using store = await openSqliteStore({ file: storeFile(workspace) });
  const key = { consumer: "c2", topic: "t", partition: 0 };
  const [claim] = await store.claim([{ key, token: "token", owner: "somebody" }]);
  if (claim?.status !== "claimed") throw new Error("the claim failed");
  const { epoch } = claim;
  const resetFrom = { nextOffset: 5n, reason: "truncated" };
  await store.commit([{ key, token: "token", owner: "somebody", epoch, nextOffset: 3n, rewind: true, resetFrom }]);
  expect((await run("consumer reset c2 --undo".split(" "))).stderr).toContain(
    'warning: topic "t" partition "0": was reset because the log was truncated: the records before offset 5 may not be those that the consumer read\n',
  );
});

test("a running consumer goes on from the position before the reset", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 5));
  await out("consume t -c c1 -n 2");
  await out("consumer reset c1 --to-latest --execute");
  const reader = workspace.start(["consume", "t", "-c", "c1", "--flush", "20", "--verbose"]);
  await reader.said("continues at");
  const { code, stderr } = await run("consumer reset c1 --undo --execute".split(" "));
  expect(code).toBe(0);
  expect(stderr).toContain(`:${reader.pid}" held 1 of these positions: if it still runs`);
  await out("produce t", numberedLines(6, 6));
  await reader.said("reset by an operator; continuing from the new position");
  expect(await reader.lines(5)).toEqual(["6", "3", "4", "5", "6"]);
});

test("after a failure the advice is not to run the same undo again", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 5));
  await out("consume t -c c1 --until-end");
  await out("consumer reset c1 --to-earliest --execute");
  using database = new DatabaseSync(storeFile(workspace));
  database.exec("CREATE TRIGGER fails BEFORE UPDATE ON tidemark_offsets BEGIN SELECT RAISE(ABORT, 'not now'); END");
  const failed = await run("consumer reset c1 --undo --execute".split(" "));
  expect(failed.code).toBe(1);
  expect(failed.stderr).toContain(
    "; of 1 position 1 not written; running the command again would revert the written positions: name the others with --topic and --partition",
  );
});
