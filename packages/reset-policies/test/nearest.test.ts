import { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP } from "@tidemark/core";
import { nearest } from "@tidemark/reset-policies";
import { expect, test } from "vitest";
import { contextOf } from "./context.ts";

const ask = (requested: bigint, lastOffsetFetched = requested) =>
  nearest().timestamp(contextOf({ requested, lastOffsetFetched }));

test("below the log it takes the first record, beyond it the end", () => {
  expect(ask(9n)).toBe(EARLIEST_TIMESTAMP);
  expect(ask(21n)).toBe(LATEST_TIMESTAMP);
});

test("on the first fetch of a consumer without a position it looks at what was asked for", () => {
  expect(ask(9n, -1n)).toBe(EARLIEST_TIMESTAMP);
  expect(ask(21n, -1n)).toBe(LATEST_TIMESTAMP);
});

test("within a log that moved meanwhile it skips nothing", () => {
  expect(ask(10n)).toBe(EARLIEST_TIMESTAMP);
  expect(ask(20n)).toBe(EARLIEST_TIMESTAMP);
});

test("as a start it takes the first record", () => {
  expect(nearest().timestamp(contextOf({ reason: "start", requested: -1n, lastOffsetFetched: -1n }))).toBe(
    EARLIEST_TIMESTAMP,
  );
});

test("on a topic that was recreated it takes the first record, wherever the position was", () => {
  for (const requested of [9n, 15n, 21n]) {
    expect(nearest().timestamp(contextOf({ reason: "other-log", requested }))).toBe(EARLIEST_TIMESTAMP);
  }
});
