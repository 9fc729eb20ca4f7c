import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP } from "@tidemark/core";
import { nearest } from "@tidemark/reset-policies";
import { expect, test } from "vitest";
import { contextOf } from "./context.ts";

const ask = (lastOffsetFetched: bigint) => nearest().timestamp(contextOf({ lastOffsetFetched }));

test("below the log it takes the first record, beyond it the end", () => {
  expect(ask(9n)).toBe(EARLIEST_TIMESTAMP);
  expect(ask(-1n)).toBe(EARLIEST_TIMESTAMP);
  expect(ask(21n)).toBe(LATEST_TIMESTAMP);
});

test("within a log that moved meanwhile it skips nothing", () => {
  expect(ask(10n)).toBe(EARLIEST_TIMESTAMP);
  expect(ask(20n)).toBe(EARLIEST_TIMESTAMP);
});

test("as a start it takes the first record", () => {
  expect(nearest().timestamp(contextOf({ reason: "start", lastOffsetFetched: -1n }))).toBe(EARLIEST_TIMESTAMP);
});
