import { expect, test } from "vitest";
import { createLineSplitter } from "../../src/commands/produce/line-splitter.ts";

function split(chunks: readonly string[]): string[] {
  const splitter = createLineSplitter();
  const lines = chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk)));
  return [...lines, ...splitter.end()].map((line) => Buffer.from(line).toString());
}

test("lines are the same however the input is cut into chunks", () => {
  const text = "one\n\ntwo é\nthree";
  const bytes = Buffer.from(text);
  for (let at = 0; at <= bytes.length; at += 1) {
    const splitter = createLineSplitter();
    const lines = [
      ...splitter.push(bytes.subarray(0, at)),
      ...splitter.push(bytes.subarray(at)),
      ...splitter.end(),
    ].map((line) => Buffer.from(line).toString());
    expect(lines).toEqual(["one", "", "two é", "three"]);
  }
});

test("a last line break begins no further line, and nothing is no line", () => {
  expect(split(["a\n"])).toEqual(["a"]);
  expect(split(["\n"])).toEqual([""]);
  expect(split([])).toEqual([]);
});

test("a line that never ends is refused before it fills the memory", () => {
  const splitter = createLineSplitter(10);
  expect(splitter.push(Buffer.from("1234567890"))).toEqual([]);
  expect(() => splitter.push(Buffer.from("1"))).toThrow(/longer than 10 bytes/);
});
