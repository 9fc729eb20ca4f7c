import { expect, test } from "vitest";
import { formatTable } from "../../src/output/table.ts";

test("columns are aligned by what a terminal shows, and no line ends in spaces", async () => {
  const rows = [
    ["ab", "1", "x"],
    ["日本", "2", ""],
    ["😀", "3", "z"],
  ];
  expect(await formatTable(["NAME", "N", "OWNER"], rows)).toBe(
    ["NAME   N   OWNER", "ab     1   x", "日本   2", "😀     3   z", ""].join("\n"),
  );
});

test("what would break a table or steer a terminal is written out", async () => {
  expect(await formatTable(["NAME"], [["a\nb\t\u001b[2J\u0000\u009b\u202e"]])).toBe(
    "NAME\na\\nb\\t\\u001b[2J\\u0000\\u009b\\u202e\n",
  );
});
