import { MongoOperationTimeoutError, MongoServerError } from "mongodb";
import { expect, it } from "vitest";
import { classifyMongoError } from "../src/mongo-errors.ts";

const atlas = (errmsg: string): MongoServerError =>
  new MongoServerError({ errmsg, code: 8_000, codeName: "AtlasError" });

// What only Atlas answers, and what a client throws whose version has timeoutMS.
it.each([
  [atlas("bad auth : authentication failed"), "PERMISSION_DENIED", false, "credentials"],
  [atlas("you are over your space quota, using 512 MB of 512 MB"), "UNAVAILABLE", true, "over your space quota"],
  [atlas("this command is not allowed"), "UNKNOWN", false, "is not allowed"],
  [new MongoOperationTimeoutError("Timed out during socket read"), "TIMEOUT", true, "timeoutMS"],
])("takes %s for %s, retryable %s", (error, code, retryable, text) => {
  const message: unknown = expect.stringContaining(text);
  expect(classifyMongoError(error)).toEqual({ code, retryable, message });
});
