import { expect, test } from "vitest";
import { parse } from "yaml";
import { formatRows } from "../../src/output/format-rows.ts";
import { formatJson } from "../../src/output/json.ts";

test.each([0, 1, 999, 1000, 1001, 2500])("%d rows are one list in either format", async (count) => {
  const rows = Array.from({ length: count }, (_, index) => ({ index, text: index % 2 === 0 ? "a\nb" : "" }));
  let json = "";
  for await (const part of formatRows("json", rows, (row) => row)) json += part;
  expect(json).toBe(formatJson(rows));
  let yaml = "";
  for await (const part of formatRows("yaml", rows, (row) => row)) yaml += part;
  expect(parse(yaml)).toEqual(rows);
});
