import { OffsetOutOfRangeError } from "@tidemark/core";
import { none } from "@tidemark/reset-policies";
import { expect, test } from "vitest";
import { contextOf } from "./context.ts";
import { thrownBy } from "./thrown-by.ts";

test("refuses with the offset asked for and the bounds of the log", () => {
  const error = thrownBy(() => none().timestamp(contextOf()));
  expect(error).toBeInstanceOf(OffsetOutOfRangeError);
  expect(error).toMatchObject({ topic: "orders", partition: 3, requested: 5n, earliest: 10n, latest: 20n });
  expect(error.message).toContain("set the consumer's position");
});

test("says as a start that no position is stored, and what to do", () => {
  const error = thrownBy(() =>
    none().timestamp(contextOf({ reason: "start", requested: -1n, lastOffsetFetched: -1n })),
  );
  expect(error).toBeInstanceOf(OffsetOutOfRangeError);
  expect(error.message).toContain("no position is stored");
  expect(error.message).toContain("give the consumer a start");
});
