import { expect, test } from "vitest";
import { createWorkspace, numberedLines } from "../support/workspace.ts";

test("lines come back byte for byte: empty ones, long ones, other encodings, a last one without a line break", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  const long = "y".repeat(300_000);
  const produced = await run(["produce", "t"], { input: `a\n\n😀 é\n${long}\ncarriage return\r\nlast` });
  expect(produced).toEqual({ code: 0, stdout: "", stderr: '6 records written to topic "t"\n' });
  expect(await out("consume t --until-end")).toBe(`a\n\n😀 é\n${long}\ncarriage return\r\nlast\n`);
  await run(["produce", "t"], { input: Uint8Array.of(0xff, 0xfe, 0x0a) });
  const last = JSON.parse(await out("consume t --start 6 --until-end -O json")) as { value: unknown };
  expect(last.value).toEqual({ base64: "//4=" });
});

test("JSON has one object a line, YAML one document a record", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create t");
  await out("produce t --key-separator =", "k=v=w\nno key\n");
  const json = await out("consume t -O json --until-end");
  const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/) as unknown;
  expect(
    json
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    { topic: "t", key: "k", value: "v=w", partition: 0, offset: "0", timestamp, headers: [] },
    { topic: "t", key: null, value: "no key", partition: 0, offset: "1", timestamp, headers: [] },
  ]);
  expect(await out("consume t -O yaml -n 1")).toMatch(
    /^---\ntopic: t\nkey: k\nvalue: v=w\npartition: 0\noffset: "0"\ntimestamp: "?\d{4}-\S+Z"?\nheaders: \[\]\n$/,
  );
});

test("records are spread over the partitions: each in turn, the same key to the same one, or where they are told to", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create turns --partitions 3");
  await out("produce turns", numberedLines(1, 9));
  expect(await out("consume turns -p 1 --until-end")).toBe("2\n5\n8\n");
  await out("topic create keys --partitions 3");
  await out("produce keys --key-separator :", "a:1\nb:2\na:3\nb:4\nc:5\na:6\n");
  const lines = (await out("consume keys --all --until-end -O json")).trimEnd().split("\n");
  const partitionsOfKeys = new Map<string, Set<number>>();
  for (const line of lines) {
    const { key, partition } = JSON.parse(line) as { key: string; partition: number };
    partitionsOfKeys.set(key, (partitionsOfKeys.get(key) ?? new Set()).add(partition));
  }
  expect([...partitionsOfKeys.values()].map(({ size }) => size)).toEqual([1, 1, 1]);
  await out("topic create told --partitions 3");
  await out("produce told -p 2", "x\n");
  expect(await out("consume told -p 2 --until-end")).toBe("x\n");
});

test("what is typed is written at once, and read at once by one that waits", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  const reader = workspace.start(["consume", "t"]);
  const writer = workspace.start(["produce", "t"]);
  writer.stdin.write("one\n");
  expect(await reader.lines(1)).toEqual(["one"]);
  writer.stdin.write("two\nhalf");
  expect(await reader.lines(2)).toEqual(["one", "two"]);
  writer.kill("SIGINT");
  expect(await writer.ended).toMatchObject({
    code: 1,
    stderr: "tidemark: stopped before the input ended; 2 records written before\n",
  });
  reader.kill("SIGINT");
  expect((await reader.ended).stdout).toBe("one\ntwo\n");
});

test("-n stops after so many records, and the next consume goes on after them", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 10));
  expect(await out("consume t -c c1 -n 3")).toBe("1\n2\n3\n");
  expect(await out("consume t -c c1 --count 2 --flush 0")).toBe("4\n5\n");
  expect(await out("consume t -c c1 --until-end")).toBe(numberedLines(6, 10));
});

test.each([
  ["3", "4\n5\n"],
  ["latest", ""],
  ["earliest", numberedLines(1, 5)],
  ["beginning+4", "5\n"],
  ["end-2", "4\n5\n"],
  ["end-99", numberedLines(1, 5)],
  ["2000-01-01T00:00:00Z", numberedLines(1, 5)],
  ["2999-01-01", ""],
  ["last-offset", "5\n"],
])("--start %s", async (start, expected) => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  await workspace.out("produce t", numberedLines(1, 5));
  expect(await workspace.out(`consume t --until-end --start ${start}`)).toBe(expected);
});

test("records that retention took are counted on standard error", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  await out("produce t", numberedLines(1, 5));
  await out("consume t -c c1 -n 2");
  await out("topic alter t --retention-bytes 1");
  await out("produce t", numberedLines(6, 7));
  const finished = await run(["consume", "t", "-c", "c1", "--until-end"]);
  expect(finished.code).toBe(0);
  expect(finished.stderr).toMatch(
    /^topic "t" partition "0": offset 2 is older than what the log keeps; policy earliest continues at \d, \d records? skipped\n$/,
  );
});
