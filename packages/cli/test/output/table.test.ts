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

test("ten thousand rows are one table", async () => {
  const rows = Array.from({ length: 10_000 }, (_, index) => [`c${index}`, index === 9000 ? "日本日本" : "x", "end"]);
  const lines = (await formatTable(["NAME", "N", "OWNER"], rows)).split("\n");
  expect(lines).toHaveLength(10_002);
  expect(lines[0]).toBe("NAME    N          OWNER");
  expect(lines[1]).toBe("c0      x          end");
  expect(lines[9001]).toBe("c9000   日本日本   end");
  expect(lines[10_000]).toBe("c9999   x          end");
});
