import { loadAll } from "js-yaml";
import { parseAllDocuments } from "yaml";
import { expect, test } from "vitest";
import { createWorkspace } from "../support/workspace.ts";

test("what consume -O json writes, produce --json writes again: keys, headers, tombstones, bytes, timestamps", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create t");
  await out("topic create copy");
  const records = [
    {
      key: "k",
      value: "v",
      headers: [
        { name: "trace", value: "1" },
        { name: "trace", value: "2" },
      ],
    },
    { key: "k", value: null, headers: [] },
    { key: { base64: "//4=" }, value: { base64: "AP8=" }, headers: [{ name: "bytes", value: { base64: "/w==" } }] },
    { key: null, value: "", timestamp: "2020-01-31T08:00:00.123Z", headers: [] },
    // Nanoseconds, where milliseconds belong.
    { key: null, value: "n", timestamp: "1732000000000000", headers: [] },
    { key: null, value: "far", timestamp: "9007199254740991", headers: [] },
  ];
  await out("produce t --json", records.map((record) => `${JSON.stringify(record)}\n`).join(""));
  const lines = await out("consume t -O json --until-end");
  const documents = lines.trimEnd().split("\n");
  expect(documents.map((line) => JSON.parse(line) as unknown)).toMatchObject(
    records.map((record, index) => ({
      topic: "t",
      offset: String(index),
      ...record,
      timestamp: expect.any(String) as unknown,
    })),
  );
  expect(JSON.parse(documents[3] ?? "")).toMatchObject({ timestamp: "2020-01-31T08:00:00.123Z" });
  expect(JSON.parse(documents[5] ?? "")).toMatchObject({ timestamp: "9007199254740991" });
  await out("produce copy --json", lines);
  expect((await out("consume copy -O json --until-end")).replaceAll('"topic":"copy"', '"topic":"t"')).toBe(lines);
});

test.each([
  ["no json", "it is not JSON in UTF-8"],
  ["[]", "the line must be an object"],
  ['{"key":"a"}', "value is missing: null makes a tombstone"],
  ['{"value":1}', "value must be a string, null, or"],
  ['{"value":"a","valeu":"b"}', 'the line has "valeu"'],
  ['{"value":"a","headers":{"a":"b"}}', "headers must be an array"],
  ['{"value":"a","timestamp":"yesterday"}', 'timestamp "yesterday" is not a date: write it like 2026-01-31T08:00:00Z'],
  ['{"value":"a","timestamp":12.5}', 'timestamp "12.5" is not a date'],
  ['{"value":"a","timestamp":"2026-02-30T08:00:00Z"}', 'timestamp "2026-02-30T08:00:00Z" is not a date'],
  ['{"value":"a","timestamp":"1969-12-31T23:59:59Z"}', 'timestamp "1969-12-31T23:59:59Z" is before 1970'],
  ['{"value":"a","timestamp":-1}', "timestamp -1 is before 1970"],
  ['{"value":"a","timestamp":"9007199254740992"}', 'timestamp "9007199254740992" is not a date'],
])("produce --json names the line of %s", async (line, message) => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  const { code, stderr } = await workspace.run(["produce", "t", "--json"], { input: `{"value":"first"}\n${line}\n` });
  expect(code).toBe(1);
  expect(stderr).toContain(`tidemark: line 2: ${message}`);
  expect(stderr).toContain("1 record written before");
  expect(await workspace.out("consume t --until-end")).toBe("first\n");
});

test("produce --json reads a time without a zone as UTC, on every machine", async () => {
  await using workspace = await createWorkspace({ TZ: "America/New_York" });
  await workspace.out("topic create t");
  const times = ["2026-07-01T08:00:00", "2026-07-01", "2026-07-01T08:00+02:00", 1_782_864_000_000];
  await workspace.out(
    "produce t --json",
    times.map((timestamp) => `${JSON.stringify({ value: "a", timestamp })}\n`).join(""),
  );
  const records = (await workspace.out("consume t -O json --until-end")).trimEnd().split("\n");
  expect(records.map((record) => (JSON.parse(record) as { timestamp: string }).timestamp)).toEqual([
    "2026-07-01T08:00:00.000Z",
    "2026-07-01T00:00:00.000Z",
    "2026-07-01T06:00:00.000Z",
    "2026-07-01T00:00:00.000Z",
  ]);
});

test("what is text in YAML is text for readers of YAML 1.1 too", async () => {
  await using workspace = await createWorkspace();
  await workspace.out("topic create t");
  const values = [
    "no",
    "on",
    "y",
    "12:30:45",
    "2026-01-01",
    "0o17",
    "017",
    "1_000",
    "~",
    "null",
    ".inf",
    "=",
    "<<",
    "1e3",
    "0x1F",
  ];
  await workspace.out("produce t", values.map((value) => `${value}\n`).join(""));
  const yaml = await workspace.out("consume t -O yaml --until-end");
  const byAnother = (loadAll(yaml) as { value: string }[]).map(({ value }) => value);
  expect(byAnother).toEqual(values);
  const inOldVersion = parseAllDocuments(yaml, { version: "1.1" }).map((each) => each.toJS() as { value: string });
  expect(inOldVersion.map(({ value }) => value)).toEqual(values);
  // One more that PyYAML takes for something else.
  expect(yaml).toContain('value: "="');
});
