import type { DriverKey, ListFilter } from "@tidemark/core/driver";
import { expect, it } from "vitest";
import { RedisKeys } from "../src/keys.ts";

const NAMES = ["a", "ab", "b", "~", "~a", ".", "..", "a/b", "a/", "/a", "0", "é", "%2F", "{x}", "a:b", " ", "A", "z"];

const keys = new RedisKeys("app:", "the {orders}");
const all: readonly DriverKey[] = NAMES.flatMap((consumer) =>
  NAMES.flatMap((topic) => [
    ...[0, 1, 10, 2 ** 31 - 1].map((partition) => ({ consumer, topic, partition })),
    ...["", ...NAMES].map((member) => ({ consumer, topic, member })),
  ]),
);

it("gives every key a name of its own, and finds the key in the name", () => {
  const names = new Set(all.map((key) => keys.nameOf(key)));
  expect(names.size).toBe(all.length);
  for (const key of all) expect(keys.parse(keys.nameOf(key))).toEqual(key);
});

it("keeps members in hashes of their own, and all of a namespace in one slot", () => {
  const hashes = (kind: "partition" | "member") =>
    new Set(all.flatMap((key) => (kind in key ? [keys.hashOf(key).redisKey] : [])));
  const positions = hashes("partition");
  expect(positions.size).toBe(NAMES.length ** 2);
  for (const redisKey of hashes("member")) expect(positions.has(redisKey)).toBe(false);
  for (const redisKey of [...positions, ...hashes("member")]) {
    expect(redisKey).toMatch(/^app:tidemark:\{the%20%7Borders%7D\}:[^{}]+$/u);
  }
});

it("finds what a filter matches between two bounds, and nothing else but other topics", () => {
  const sorted = all.map((key) => keys.nameOf(key)).toSorted();
  for (const kind of ["position", "member"] as const) {
    for (const consumer of [undefined, ...NAMES]) {
      for (const topic of consumer === undefined ? [undefined] : [undefined, ...NAMES]) {
        const found = between(sorted, keys.range({ kind, consumer, topic } satisfies ListFilter));
        const expected = all.filter(
          (key) =>
            (kind === "member") === "member" in key &&
            key.consumer === (consumer ?? key.consumer) &&
            key.topic === (topic ?? key.topic),
        );
        expect(found).toEqual(expected.map((key) => keys.nameOf(key)).toSorted());
      }
    }
  }
});

it("takes for no key what no store has written", () => {
  for (const text of [
    "",
    "a",
    "a/b",
    "a/b/c",
    "a/b/01",
    "a/b/-1",
    "a/b/2147483648",
    "a/b/1/2",
    "a//1",
    "/b/1",
    "a/b/1.5",
    "a/b/1e1",
    "a/b/",
  ]) {
    expect(keys.parse(text)).toBeUndefined();
  }
  for (const text of ["~a/b/m", "~a/b/m/1", "~a//m/0", "~/b/m/0", "~a/b/m/0/0", "~é/b/m/0", "é/b/0", "%2f/b/0"]) {
    expect(keys.parse(text)).toBeUndefined();
  }
});

/** As ZRANGEBYLEX does: bytes, and every name is ASCII. */
function between(sorted: readonly string[], [from, to]: readonly [string, string]): string[] {
  const isAfter = (name: string): boolean => from === "-" || name >= from.slice(1);
  const isBefore = (name: string): boolean => to === "+" || name < to.slice(1);
  return sorted.filter((name) => isAfter(name) && isBefore(name));
}
