import { LogSourceError, OffsetStoreError } from "@tidemark/core";
import { expect, test } from "vitest";
import { splitHelpAddress } from "../../src/text/help-address.ts";

test("the address is taken out of a message, also where another one goes on after it", () => {
  const { message, help } = new LogSourceError("the broker is away", { code: "UNAVAILABLE" });
  expect(splitHelpAddress(message)).toEqual({ text: "the broker is away", help });
  expect(splitHelpAddress(`${message}; 2 records written before`)).toEqual({
    text: "the broker is away; 2 records written before",
    help,
  });
});

test("of two messages in one, the last one's address is told", () => {
  const first = new LogSourceError("the log is away", { code: "UNAVAILABLE" });
  const last = new OffsetStoreError("it is closed", { code: "CLOSED", operation: "fetch", store: "memory" });
  expect(splitHelpAddress(`${first.message}, and ${last.message}`)).toEqual({
    text: "the log is away, and it is closed",
    help: last.help,
  });
});

test("a message of somebody else's stays as it is", () => {
  const text = "see https://example.com/errors.md#unavailable for more";
  expect(splitHelpAddress(text)).toEqual({ text, help: undefined });
});
