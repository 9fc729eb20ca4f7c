import { expect, test } from "vitest";
import { murmur2, spreadOver } from "../../src/commands/produce/partition-choice.ts";

// From the tests of Apache Kafka's Utils.murmur2.
test.each([
  ["21", -973_932_308],
  ["foobar", -790_332_482],
  ["a-little-bit-long-string", -985_981_536],
  ["a-little-bit-longer-string", -1_486_304_829],
  ["lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971],
  ["abc", 479_470_107],
])("%s hashes as Kafka's clients hash it", (text, hash) => {
  expect(murmur2(Buffer.from(text))).toBe(hash);
});

test("records without a key go to each partition in turn", () => {
  const choose = spreadOver([0, 1, 2]);
  expect([null, null, null, null].map(choose)).toEqual([0, 1, 2, 0]);
});
