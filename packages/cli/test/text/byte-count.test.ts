import { expect, test } from "vitest";
import { parseByteCount } from "../../src/text/byte-count.ts";

test.each([
  ["1048576", 1_048_576],
  ["512MiB", 536_870_912],
  ["2GB", 2_000_000_000],
  ["1.5kb", 1500],
])("%s is %d bytes", (text, bytes) => {
  expect(parseByteCount(text)).toBe(bytes);
});

test.each(["", "0", "-1", "many", "1XB", "99999999TiB"])("%j is refused", (text) => {
  expect(() => parseByteCount(text)).toThrow(RangeError);
});
