import assert from "node:assert/strict";
import { OffsetStoreError } from "@tidemark/core";
import { openDriver, type OpeningOptions } from "@tidemark/core/driver";
import { expect, it, onTestFinished, vi } from "vitest";
import { never } from "./tiny-driver.ts";

function opening(more: Partial<OpeningOptions> = {}): OpeningOptions & { released: number } {
  const options = {
    store: "tiny",
    timeout: 20,
    classify: () => ({ code: "UNAVAILABLE", retryable: true, message: "the server is away; try again later" }) as const,
    released: 0,
    release: () => void (options.released += 1),
    ...more,
  };
  return options;
}

it("gives what was opened, and releases nothing", async () => {
  const options = opening();
  expect(await openDriver(options, async () => "opened")).toBe("opened");
  expect(options.released).toBe(0);
});

it("has as long again after each answer: many requests take longer than one (contract 3.9a)", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const answers = async (_signal: AbortSignal, answered: () => void): Promise<string> => {
    for (let request = 0; request < 7; request += 1) {
      await new Promise((resolve) => setTimeout(resolve, 15));
      answered();
    }
    return "opened";
  };
  const opened = openDriver(opening(), answers);
  await vi.advanceTimersByTimeAsync(7 * 15);
  expect(await opened).toBe("opened");
});

it("ends in time although nobody heeds the signal, and says what is known of the silence (contract 3.9a)", async () => {
  let signal: AbortSignal | undefined;
  const silent = (given: AbortSignal): Promise<never> => {
    signal = given;
    return never();
  };
  const options = opening();
  await expect(openDriver(options, silent)).rejects.toMatchObject({
    code: "TIMEOUT",
    operation: "open",
    store: "tiny",
  });
  expect(signal?.aborted).toBe(true);
  expect(options.released).toBe(1);
  const cause = new Error("refused");
  const whenLate = () =>
    ({ code: "UNAVAILABLE", retryable: true, message: "the last attempt was refused", cause }) as const;
  const known = openDriver(opening({ whenLate }), silent);
  await expect(known).rejects.toMatchObject({ code: "UNAVAILABLE", cause });
  await expect(known).rejects.toThrow("tiny store: open failed: the last attempt was refused");
});

it("gives a failure the store's form, releases what was opened, and lets wrong arguments pass", async () => {
  const options = opening({ release: () => Promise.reject(new Error("cannot be closed either")) });
  const cause = new Error("ECONNREFUSED");
  const failed = await openDriver(options, () => Promise.reject(cause)).catch((error: unknown) => error);
  assert.ok(failed instanceof OffsetStoreError);
  assert.equal(failed.cause, cause);
  assert.equal(failed.retryable, true);
  const wrong = new TypeError("url must be a URL");
  await assert.rejects(
    openDriver(options, () => Promise.reject(wrong)),
    (error) => error === wrong,
  );
});
