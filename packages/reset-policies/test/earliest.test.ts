import { defaultOffsetResetPolicy, EARLIEST_TIMESTAMP } from "@tidemark/core";
import { earliest } from "@tidemark/reset-policies";
import { expect, test } from "vitest";
import { contextOf } from "./context.ts";

test("is core's default, and asks for the first offset", () => {
  expect(earliest()).toBe(defaultOffsetResetPolicy);
  expect(earliest().name).toBe("earliest");
  expect(earliest().timestamp(contextOf())).toBe(EARLIEST_TIMESTAMP);
  expect(earliest().adjustOffset).toBeUndefined();
});
