import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import {
  CONSUMER_STATE_ERROR_CODES,
  type ConsumerEvent,
  type FencedReason,
  LOG_SOURCE_ERROR_CODES,
  OFFSET_STORE_ERROR_CODES,
  OffsetFencedError,
  OffsetOutOfRangeError,
} from "@tidemark/core";
import type { OffsetStoreEvent } from "@tidemark/core/driver";
import { expectGenerated } from "@tidemark/test-support/documents";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createWorkspace, type Workspace } from "../support/workspace.ts";
import { type ErrorCode, provocations } from "./provoked-errors.ts";

const PAGE = fileURLToPath(new URL("../../../../docs/errors.md", import.meta.url));
const page = await readFile(PAGE, "utf8");
const key = { consumer: "c1", topic: "orders", partition: 0 };
const codes: readonly ErrorCode[] = [
  ...new Set<ErrorCode>([
    ...OFFSET_STORE_ERROR_CODES,
    ...LOG_SOURCE_ERROR_CODES,
    ...CONSUMER_STATE_ERROR_CODES,
    new OffsetFencedError({ key, reason: "reset" }).code,
    new OffsetOutOfRangeError({ topic: "orders", partition: 0, requested: 1n }).code,
  ]),
];

let workspace: Workspace;
beforeAll(async () => {
  workspace = await createWorkspace();
  await workspace.out("topic create orders");
  await workspace.out("produce orders", "one\ntwo\n");
});
afterAll(async () => await workspace[Symbol.asyncDispose]());

test("every code has a heading, and no heading is of a code that does not exist", () => {
  const headings = Array.from(page.matchAll(/^#+ ([A-Z_]+)$/gm), ([, code]) => code);
  expect(new Set(headings)).toEqual(new Set(codes));
  expect(headings).toHaveLength(codes.length);
});

test.each(codes)("%s: the page shows what is printed, and its address is this page's heading", async (code) => {
  const printed = await provocations[code](workspace);
  expect(printed).toMatch(new RegExp(`(?:; see|\nhelp:) \\S+/docs/errors\\.md#${code.toLowerCase()}$`));
  await expectGenerated(PAGE, code.toLowerCase(), `\`\`\`text\n${printed}\n\`\`\``);
});

test("every reason of a fenced session is told under its heading", () => {
  const reasons = { superseded: true, reset: true, released: true, absent: true } satisfies Record<FencedReason, true>;
  const section = page.split(/^## /m).find((text) => text.startsWith("FENCED"));
  for (const reason of Object.keys(reasons)) expect(section).toContain(`\`${reason}\``);
});

test("every event that carries an error is told", () => {
  type WithError = Extract<ConsumerEvent | OffsetStoreEvent, { readonly error: unknown }>["type"];
  const complete: Record<WithError, true> = {
    "flush-failed": true,
    "fetch-failed": true,
    "refresh-failed": true,
    "heartbeat-failed": true,
    "claim-failed": true,
    retry: true,
  };
  const section = page.split(/^## /m).find((text) => text.startsWith("Events"));
  for (const type of Object.keys(complete)) expect(section).toContain(`\`${type}\``);
});
