import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { expect, test } from "vitest";
import {
  createWorkspace,
  eventually,
  numberedLines,
  runInShell,
  untilStored,
  type Workspace,
} from "../support/workspace.ts";

const ODD_POSITIONS = [
  { consumer: "c1", topic: "t", partition: 0, nextOffset: "0", metadata: "", ttl: null },
  {
    consumer: "c1",
    topic: "t",
    partition: 2_147_483_647,
    nextOffset: "9223372036854775807",
    metadata: "",
    ttl: 1 + 3_600_000,
  },
  {
    consumer: "日本\n/..:%*{}\u0000",
    topic: '😀,"\r\n',
    partition: 1,
    nextOffset: "9007199254740993",
    metadata: '{"a":"\n\u2028é"}',
    ttl: null,
  },
  {
    consumer: "__proto__",
    topic: "constructor",
    partition: 3,
    nextOffset: "5",
    metadata: "x".repeat(4096),
    ttl: 86_400_000,
  },
  { consumer: "é", topic: "e\u0301", partition: 0, nextOffset: "1", metadata: "", ttl: null },
  { consumer: " a ", topic: "\uFEFF", partition: 0, nextOffset: "1", metadata: " ", ttl: null },
];

const lines = (documents: readonly unknown[]): string =>
  documents.map((document) => `${JSON.stringify(document)}\n`).join("");
const sorted = (text: string): string[] => text.trimEnd().split("\n").sort();

async function importInto({ run }: Workspace, input: string, ...args: string[]) {
  return await run(["consumer", "import", ...args], { input });
}

test("what is exported and imported is the same, whatever its names, offsets, metadata and TTLs", async () => {
  await using workspace = await createWorkspace();
  const { run } = workspace;
  const input = lines(ODD_POSITIONS);
  expect(await importInto(workspace, input, "--store", "sqlite:a.db", "--execute")).toMatchObject({
    code: 0,
    stderr: "6 positions: 6 new\nthe TTL of 2 positions starts again\n6 positions written\n",
  });
  const exported = await run(["consumer", "export", "--store", "sqlite:a.db"]);
  // The command escapes what a terminal would take for a command.
  expect(sorted(exported.stdout.replaceAll("\\u2028", "\u2028"))).toEqual(sorted(input));
  expect(exported).toMatchObject({
    code: 0,
    stderr: "6 positions exported; claims (0), owners and times are not exported\n",
  });
  const copied = await importInto(workspace, exported.stdout, "--store", "sqlite:b.db", "--execute", "-O", "json");
  expect(copied.code).toBe(0);
  expect(sorted((await run(["consumer", "export", "--store", "sqlite:b.db"])).stdout)).toEqual(sorted(exported.stdout));
  // The answer of an import is one that can be imported, too; and so is a list.
  expect(await importInto(workspace, copied.stdout, "--store", "sqlite:c.db", "--execute")).toMatchObject({ code: 0 });
  const listed = await run(["consumer", "list", "--partitions", "--store", "sqlite:c.db", "-O", "json"]);
  expect(await importInto(workspace, listed.stdout, "--store", "sqlite:c.db", "--execute")).toMatchObject({
    code: 0,
    stderr: "6 positions: 6 already the same\n0 positions written\n",
  });
  // CSV has no place for metadata and TTL; names are whole in it.
  const csv = await run(["consumer", "export", "--store", "sqlite:a.db", "--csv"]);
  expect(csv.stderr).toMatch(
    /left out: metadata or TTL of 4 positions[^\n]*\nwarning: 1 position with a line break in a name/,
  );
  expect(await importInto(workspace, csv.stdout, "--store", "sqlite:d.db", "--execute")).toMatchObject({ code: 0 });
  expect(sorted((await run(["consumer", "export", "--store", "sqlite:d.db"])).stdout)).toEqual(
    sorted(lines(ODD_POSITIONS.map((position) => ({ ...position, metadata: "", ttl: null })))),
  );
});

test("an export is of all, of some consumers, of some topics; what it leaves behind is counted", async () => {
  await using workspace = await createWorkspace();
  const { out, run, folder } = workspace;
  for (const topic of ["t1", "t2"]) {
    await out(`topic create ${topic}`);
    for (const name of ["c1", "c10"]) await out(`consume ${topic} -c ${name} --until-end`);
  }
  await using store = await openSqliteStore({ file: join(folder, "data", "tidemark", "tidemark.db") });
  await store.claim([{ key: { consumer: "c2", topic: "t1", partition: 0 }, token: "token", owner: "somebody" }]);
  const all = await run(["consumer", "export"]);
  expect(sorted(all.stdout)).toHaveLength(4);
  expect(all.stderr).toBe(
    "4 positions exported; claims (1), owners and times are not exported\nleft out: 1 partition claimed without a position yet\n",
  );
  expect(sorted(await out("consumer export c1"))).toEqual([
    '{"consumer":"c1","topic":"t1","partition":0,"nextOffset":"0","metadata":"","ttl":null}',
    '{"consumer":"c1","topic":"t2","partition":0,"nextOffset":"0","metadata":"","ttl":null}',
  ]);
  expect(sorted(await out("consumer export c1 c10 c1 -t t2 --csv"))).toEqual(["c1,t2,0,0", "c10,t2,0,0"]);
  expect(sorted(await out("consumer export c1 -t t2 --csv"))).toEqual(["t2,0,0"]);
  expect(await run("consumer export c1 nobody no-one -t t1".split(" "))).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('"c1"') as unknown,
    stderr: expect.stringContaining(
      'tidemark: consumer "nobody" has no position on topic "t1", nor have 1 more\n',
    ) as unknown,
  });
  expect(await run("consumer export --namespace other".split(" "))).toMatchObject({ code: 0, stdout: "" });
});

test("what cannot be read is named after the rest, and keeps no other back", async () => {
  await using workspace = await createWorkspace();
  const { out, run, folder } = workspace;
  await out("topic create t --partitions 3");
  await out("consume t -c c1 --all --until-end");
  using database = new DatabaseSync(join(folder, "data", "tidemark", "tidemark.db"));
  database.exec("UPDATE tidemark_offsets SET value = 'seven' WHERE partition = 1");
  const exported = await run(["consumer", "export", "c1"]);
  expect(exported.code).toBe(1);
  expect(exported.stdout.trimEnd().split("\n")).toHaveLength(2);
  expect(exported.stderr).toMatch(/^2 positions exported.*\ntidemark: [^\n]*consumer "c1" on topic "t" partition "1"/);
  // Nor is it written over.
  const input = lines([0, 1, 2].map((partition) => ({ consumer: "c1", topic: "t", partition, nextOffset: "5" })));
  const imported = await importInto(workspace, input, "--execute", "-O", "json");
  expect(imported.code).toBe(1);
  expect(imported.stderr).toMatch(/of 3 positions 2 written, 1 not written; run the command again/);
  expect((JSON.parse(imported.stdout) as { status: string }[]).map(({ status }) => status)).toEqual([
    "written",
    "failed",
    "written",
  ]);
  expect(await run("consumer reset c1 -t t --to-earliest".split(" "))).toMatchObject({ code: 1, stdout: "" });
});

test.each([
  "consumer list",
  "consumer describe c1",
  "consumer export",
  "consumer import in.jsonl",
  "consumer import in.jsonl --execute",
  "consumer import in.jsonl -O json",
  "consumer delete nobody -O json",
  "consumer set nobody --ttl 1h -O json",
])("a reader that has left does not hide that %s failed", async (command) => {
  await using workspace = await createWorkspace();
  const { out, folder } = workspace;
  await out("topic create t --partitions 2");
  await out("consume t -c c1 --all --until-end");
  using database = new DatabaseSync(join(folder, "data", "tidemark", "tidemark.db"));
  database.exec("UPDATE tidemark_offsets SET value = 'seven' WHERE partition = 1");
  const positions = [0, 1].map((partition) => ({ consumer: "c1", topic: "t", partition, nextOffset: "0" }));
  await writeFile(join(folder, "in.jsonl"), lines(positions));
  // The reader leaves before the command can have written: it starts only when its pipe is closed.
  const { stderr } = await runInShell(
    workspace,
    `mkfifo left; { cat left; tidemark ${command}; echo "ended with $?" >&2; } | { exec <&-; : > left; }`,
  );
  expect(stderr).toMatch(/^tidemark: .*\n(?:help: .*\n)?ended with 1\n$/m);
});

test("a plan writes nothing; what is there already decides, and the same import again changes nothing", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create t --partitions 4");
  const at = (partition: number, nextOffset: string, more: object = {}) => ({
    consumer: "c1",
    topic: "t",
    partition,
    nextOffset,
    ...more,
  });
  await importInto(workspace, lines([at(0, "5"), at(1, "5"), at(2, "5", { ttl: 3_600_000 })]), "--execute");
  const input = lines([at(0, "7"), at(1, "2"), at(2, "5", { ttl: null }), at(3, "1", { metadata: "m" })]);
  const before = await out("consumer export");
  const plan = await importInto(workspace, input);
  expect(plan).toEqual({
    code: 0,
    stdout: [
      "CONSUMER   TOPIC   PARTITION   FROM   TO   CHANGE",
      "c1         t       0           5      7    2 forward",
      "c1         t       1           5      2    stays, is 3 ahead",
      "c1         t       2           5      5    TTL or metadata",
      "c1         t       3           -      1    new",
      "",
    ].join("\n"),
    stderr: [
      "4 positions: 1 new, 1 forward, 1 with another TTL or other metadata, 1 ahead of the input and kept (--overwrite moves them back)",
      "nothing was written: this is a plan; add --execute to write it",
      "",
    ].join("\n"),
  });
  expect(await out("consumer export")).toBe(before);
  expect(await importInto(workspace, input, "--execute")).toMatchObject({ code: 0 });
  expect(JSON.parse(await out("consumer list --partitions -O json"))).toMatchObject([
    { nextOffset: "7" },
    { nextOffset: "5" },
    { nextOffset: "5" },
    { nextOffset: "1", metadata: "m" },
  ]);
  expect((await out("consumer export")).includes("3600000")).toBe(false);
  expect((await importInto(workspace, input, "--execute")).stderr).toContain(
    "3 already the same, 1 ahead of the input",
  );
  expect(await importInto(workspace, input, "--execute", "--overwrite")).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^c1 +t +1 +5 +2 +3 back +written$/m) as unknown,
  });
  // An input that says nothing of TTL and metadata leaves them as they are.
  await importInto(workspace, lines([at(3, "1", { metadata: "m", ttl: 3_600_000 })]), "--execute");
  expect((await importInto(workspace, "t,3,1\n", "--consumer", "c1", "--execute")).stderr).toContain(
    "1 already the same",
  );
  await importInto(workspace, "t,3,2\n", "--consumer", "c1", "--execute");
  expect((JSON.parse(await out("consumer list --partitions -O json")) as unknown[])[3]).toMatchObject({
    nextOffset: "2",
    metadata: "",
    ttl: 3_600_000,
  });
});

test("a consumer that runs on the target and is ahead is not disturbed by the same import again", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 5));
  const input = lines([{ consumer: "c1", topic: "t", partition: 0, nextOffset: "2", metadata: "", ttl: null }]);
  await importInto(workspace, input, "--execute");
  const reader = workspace.start(["consume", "t", "-c", "c1", "--flush", "0"]);
  expect(await reader.lines(3)).toEqual(["3", "4", "5"]);
  await untilStored(workspace, 5);
  expect((await importInto(workspace, input, "--execute")).stderr).toContain("1 ahead of the input and kept");
  await out("produce t", numberedLines(6, 6));
  await reader.lines(4);
  await untilStored(workspace, 6);
  const fenced = await importInto(workspace, input, "--execute", "--overwrite");
  expect(fenced.stderr).toContain(`:${reader.pid}" held 1 of these positions: if it still runs`);
  await out("produce t", numberedLines(7, 7));
  await reader.said("reset by an operator; continuing from the new position");
  expect((await reader.lines(10)).slice(5)).toEqual(["3", "4", "5", "6", "7"]);
});

test("a reset's plan can be kept, and written later", async () => {
  await using workspace = await createWorkspace();
  const { out, run, folder } = workspace;
  await out("topic create t --partitions 2 --consumer-ttl 24h");
  await out("produce t", numberedLines(1, 10));
  await out("consume t -c c1 -p 0 --until-end");
  await writeFile(join(folder, "plan.json"), await out("consumer reset c1 -t t --to-offset 1 -O json"));
  expect((await run("consumer import plan.json --execute".split(" "))).stderr).toContain("1 new, 1 ahead of the input");
  await out("consumer import plan.json --execute --overwrite");
  expect(JSON.parse(await out("consumer list --partitions -O json"))).toMatchObject([
    { nextOffset: "1", ttl: 86_400_000 },
    { nextOffset: "1", ttl: 86_400_000 },
  ]);
});

test("files of Windows are read: byte order mark, carriage returns, blank lines, no last line break", async () => {
  await using workspace = await createWorkspace();
  const { folder, out } = workspace;
  await writeFile(join(folder, "w.csv"), "\uFEFFt,0,1\r\n\r\nt,1,2");
  await writeFile(
    join(folder, "w.jsonl"),
    `\uFEFF\r\n${lines([{ consumer: "c2", topic: "t", partition: 0, nextOffset: 3 }]).replaceAll("\n", "\r\n")}`,
  );
  await out("consumer import w.csv -c c1 --execute");
  await out("consumer import w.jsonl --execute");
  expect(sorted(await out("consumer export --csv"))).toEqual(["c1,t,0,1", "c1,t,1,2", "c2,t,0,3"]);
});

test("a reader of an export that has seen enough is no failure", async () => {
  await using workspace = await createWorkspace();
  const many = Array.from({ length: 20_000 }, (_, index) => `t,${index},${index}\n`).join("");
  await importInto(workspace, many, "-c", "c1", "--execute");
  const exporting = workspace.start(["consumer", "export"]);
  await exporting.lines(1);
  exporting.process.stdout.destroy();
  expect(await exporting.ended).toMatchObject({ code: 0 });
});

test("an import that is killed is finished by the same one again", async () => {
  await using workspace = await createWorkspace();
  const count = 50_000;
  const many = Array.from({ length: count }, (_, index) => `t,${index},7\n`).join("");
  await using store = await openSqliteStore({ file: join(workspace.folder, "killed.db") });
  const storeUrl = ["--store", "sqlite:killed.db"];
  const importing = workspace.start(["consumer", "import", "-c", "c1", "--execute", ...storeUrl]);
  importing.stdin.end(many);
  const begun = async () => {
    const [outcome] = await store.fetch([{ consumer: "c1", topic: "t", partition: 0 }]);
    return outcome?.status === "found" ? true : undefined;
  };
  await eventually(begun, "the first position");
  importing.kill("SIGKILL");
  await importing.ended;
  const again = await importInto(workspace, many, "-c", "c1", "--execute", ...storeUrl);
  expect(again.code).toBe(0);
  expect(again.stderr).toMatch(/^50000 positions: (\d+ new, )?\d+ already the same\n/);
  let found = 0;
  for await (const { nextOffset } of store.list({ consumer: "c1" })) found += nextOffset === 7n ? 1 : 0;
  expect(found).toBe(count);
});
