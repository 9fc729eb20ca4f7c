import { randomInt } from "node:crypto";
import { expect, it } from "vitest";
import { commonEnds } from "../src/common-ends.ts";

it("gives what texts begin and end with", () => {
  expect(commonEnds(['{"a":"1","b":"x"}', '{"a":"22","b":"x"}'])).toEqual({ head: '{"a":"', tail: '","b":"x"}' });
  expect(commonEnds(["abc", "abd", "ab"])).toEqual({ head: "ab", tail: "" });
  expect(commonEnds(["1x", "22x", "x"])).toEqual({ head: "", tail: "x" });
  expect(commonEnds(["a", "b"])).toEqual({ head: "", tail: "" });
});

it("counts nothing twice where texts overlap themselves", () => {
  expect(commonEnds(["same", "same"])).toEqual({ head: "same", tail: "" });
  expect(commonEnds(["aa", "aaa"])).toEqual({ head: "aa", tail: "" });
  expect(commonEnds(["abab", "ababab"])).toEqual({ head: "abab", tail: "" });
});

it("cuts no character in two", () => {
  // Their first or their second halves are the same.
  expect(commonEnds(["x😀y", "x😁y"])).toEqual({ head: "x", tail: "y" });
  expect(commonEnds(["x\u{1F600}y", "x\u{1FA00}y"])).toEqual({ head: "x", tail: "y" });
  expect(commonEnds(["😀", "😀😀"])).toEqual({ head: "😀", tail: "" });
});

it("leaves of each text what puts it together again, whatever they are", () => {
  const letters = ["a", "b", "ab", "😀", "😁", "\u{1FA00}", "ö"];
  const text = (most: number): string =>
    Array.from({ length: randomInt(most) }, () => letters[randomInt(letters.length)]).join("");
  for (let round = 0; round < 2_000; round += 1) {
    const [start, end] = [text(6), text(6)];
    const texts = Array.from({ length: 1 + randomInt(5) }, () => start + text(4) + end);
    const { head, tail } = commonEnds(texts);
    for (const each of texts) {
      const middle = each.slice(head.length, each.length - tail.length);
      expect(head + middle + tail).toBe(each);
      for (const part of [head, middle, tail]) expect(part.isWellFormed()).toBe(true);
    }
  }
});
