import { LATEST_TIMESTAMP } from "@tidemark/core";
import { lastOffset } from "@tidemark/reset-policies";
import { expect, test } from "vitest";
import { contextOf } from "./context.ts";

const adjust = (lastOffsetFetched: bigint, end: bigint) => lastOffset().adjustOffset?.(lastOffsetFetched, end);

test("asks for the end of the log", () => {
  expect(lastOffset().name).toBe("last-offset");
  expect(lastOffset().timestamp(contextOf())).toBe(LATEST_TIMESTAMP);
});

test("goes on at the last record", () => {
  expect(adjust(5n, 20n)).toBe(19n);
  expect(adjust(-1n, 20n)).toBe(19n);
  expect(adjust(0n, 1n)).toBe(1n);
  expect(adjust(-1n, 1n)).toBe(0n);
});

test("goes on at the end when the last record was just tried", () => {
  expect(adjust(19n, 20n)).toBe(20n);
  expect(adjust(4n, 5n)).toBe(5n);
});

test("goes on at the end of an empty log", () => {
  expect(adjust(-1n, 0n)).toBe(0n);
  expect(adjust(7n, 0n)).toBe(0n);
});

test("comes back to the last record from beyond the end", () => {
  expect(adjust(20n, 20n)).toBe(19n);
  expect(adjust(1_000n, 20n)).toBe(19n);
});

test("takes the new last record when the log grew after the failing fetch", () => {
  expect(adjust(4n, 6n)).toBe(5n);
});

test("keeps every bit of int64", () => {
  const end = 2n ** 63n - 1n;
  expect(adjust(0n, end)).toBe(end - 1n);
  expect(adjust(end - 1n, end)).toBe(end);
});
