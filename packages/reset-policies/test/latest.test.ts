import { LATEST_TIMESTAMP } from "@tidemark/core";
import { latest } from "@tidemark/reset-policies";
import { expect, test } from "vitest";
import { contextOf } from "./context.ts";

test("asks for the end of the log", () => {
  expect(latest().name).toBe("latest");
  expect(latest().timestamp(contextOf())).toBe(LATEST_TIMESTAMP);
  expect(latest().adjustOffset).toBeUndefined();
});
