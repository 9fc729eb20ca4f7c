import * as core from "@tidemark/core";
import { expect, test } from "vitest";

const { CONSUMER_STATE_ERROR_CODES, LOG_SOURCE_ERROR_CODES, OFFSET_STORE_ERROR_CODES } = core;
const { ConsumerStateError, LogSourceError, OffsetFencedError, OffsetOutOfRangeError, OffsetStoreError } = core;
const PAGE = "https://github.com/tidemark-js/tidemark/blob/main/docs/errors.md";
const key = { consumer: "c1", topic: "orders", partition: 0 };
const store = { operation: "fetch", store: "s" } as const;

test.each([
  ...OFFSET_STORE_ERROR_CODES.map((code) => new OffsetStoreError("the message", { ...store, code })),
  ...LOG_SOURCE_ERROR_CODES.map((code) => new LogSourceError("the message", { code })),
  ...CONSUMER_STATE_ERROR_CODES.map((code) => new ConsumerStateError("the message", { code })),
  new OffsetFencedError({ key, reason: "reset" }),
  new OffsetOutOfRangeError({ topic: "orders", partition: 0, requested: 7n, detail: "the policy does not choose" }),
])("the message of $name $code ends with the address of its explanation (contract 3.19d)", (error) => {
  expect(error.help).toBe(`${PAGE}#${error.code.toLowerCase()}`);
  expect(error.message.endsWith(`; see ${error.help}`)).toBe(true);
  expect(error.stack).toContain(error.help);
});

test("a message that quotes another has one address, its own", () => {
  const quoted = new LogSourceError("the broker is away", { code: "UNAVAILABLE" });
  const error = new OffsetStoreError(`list failed: ${quoted.message}; two keys are left`, {
    ...store,
    code: "UNKNOWN",
  });
  expect(error.message).toBe(`list failed: the broker is away; two keys are left; see ${PAGE}#unknown`);
});

test("an error without a code, of a store in plain JavaScript, is made all the same", () => {
  expect(new OffsetStoreError("m", { ...store, code: undefined as never }).message).toContain("m; see ");
});

test("the lists of codes cannot be changed by who reads them", () => {
  expect(Object.isFrozen(OFFSET_STORE_ERROR_CODES)).toBe(true);
  expect(Object.isFrozen(LOG_SOURCE_ERROR_CODES)).toBe(true);
  expect(Object.isFrozen(CONSUMER_STATE_ERROR_CODES)).toBe(true);
});

test("every error class of the package has a code and its address", () => {
  const names = Object.entries<unknown>({ ...core }).flatMap(([name, value]) =>
    typeof value === "function" && value.prototype instanceof Error ? [name] : [],
  );
  expect(names.sort()).toEqual([
    "ConsumerStateError",
    "LogSourceError",
    "OffsetFencedError",
    "OffsetOutOfRangeError",
    "OffsetStoreError",
  ]);
});
