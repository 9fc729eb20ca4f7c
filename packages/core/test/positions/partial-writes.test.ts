import type { OffsetStore } from "@tidemark/core";
import { applyImport, applyReset, IncompleteWriteError, type ResetPlan } from "@tidemark/core/positions";
import { createMemoryStore } from "@tidemark/store-memory";
import { expect, test } from "vitest";

/** A store that does something else before each of its resets. */
function withReset(before: (call: number) => void | Promise<void>): OffsetStore<never> {
  const store = createMemoryStore();
  const reset = store.reset.bind(store);
  let calls = 0;
  return Object.assign(store, {
    async reset(...args: Parameters<typeof reset>) {
      calls += 1;
      await before(calls);
      return await reset(...args);
    },
  });
}

const PARTITIONS = 2_500;
const plan: Pick<ResetPlan, "consumer" | "resets"> = {
  consumer: "c",
  resets: Array.from({ length: PARTITIONS }, (_, partition) => ({
    ...{ topic: "t", partition, from: undefined, to: 1n, requested: undefined, earliest: 0n, latest: 1n },
    ...{
      skipped: 0n,
      readAgain: 0n,
      isRelative: false,
      isBeyondTime: false,
      undoes: undefined,
      metadata: "",
      ttl: undefined,
    },
    owner: undefined,
  })),
};

async function failed(writing: Promise<unknown>): Promise<IncompleteWriteError> {
  const error: unknown = await writing.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof IncompleteWriteError)) throw new Error(`not an IncompleteWriteError: ${String(error)}`);
  return error;
}

test("an abort waits for the batch that is on its way, and begins no other", async () => {
  const controller = new AbortController();
  await using store = withReset((call) => {
    if (call === 2) controller.abort(new Error("enough"));
  });
  const error = await failed(applyReset({ store, plan, signal: controller.signal }));
  expect(error.message).toBe("stopped before the end; of 2500 positions 2000 written, 500 not tried");
  expect(error.cause).toMatchObject({ message: "enough" });
  const statuses = error.results.map(({ status }) => status);
  expect(statuses.indexOf("not-tried")).toBe(2000);
  expect(new Set(statuses.slice(0, 2000))).toEqual(new Set(["written"]));
  expect(new Set(statuses.slice(2000))).toEqual(new Set(["not-tried"]));
});

test("an abort in the last batch is too late to stop anything", async () => {
  const controller = new AbortController();
  await using store = withReset((call) => {
    if (call === 3) controller.abort();
  });
  const results = await applyReset({ store, plan, signal: controller.signal });
  expect(new Set(results.map(({ status }) => status))).toEqual(new Set(["written"]));
});

test("an onProgress that throws ends it, and what was written is told", async () => {
  await using store = withReset(() => {});
  const onProgress = (): void => {
    throw new Error("no terminal");
  };
  const error = await failed(applyReset({ store, plan, onProgress }));
  expect(error.message).toBe("no terminal; of 2500 positions 1000 written, 1500 not tried");
});

test("an abort before the beginning rejects with its reason", async () => {
  await using store = withReset(() => {});
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(applyReset({ store, plan, signal })).rejects.toThrow(/^enough$/);
});

test("a store that fails in the middle: what came before is written, and nothing is tried after", async () => {
  await using store = withReset(async (call) => {
    if (call === 2) await store.close();
  });
  const { results, message, cause } = await failed(applyReset({ store, plan }));
  expect(cause).toMatchObject({ code: "CLOSED" });
  expect(message).toMatch(
    /closed.*; of 2500 positions 1000 written, 1000 not written, 500 not tried; see https:\S+#closed$/,
  );
  expect([0, 999, 1000, 1999, 2000, 2499].map((index) => results[index]?.status)).toEqual([
    "written",
    "written",
    "failed",
    "failed",
    "not-tried",
    "not-tried",
  ]);
});

test("one position that the store cannot read leaves the others alone", async () => {
  const store = createMemoryStore();
  const fetch = store.fetch.bind(store);
  const { OffsetStoreError } = await import("@tidemark/core");
  const damaged = new OffsetStoreError("damaged", {
    ...{ store: "memory", operation: "fetch", code: "CORRUPT_RECORD", retryable: false },
  });
  await using broken: OffsetStore<never> = Object.assign(store, {
    fetch: async (...args: Parameters<typeof fetch>) =>
      (await fetch(...args)).map((outcome, index) =>
        index === 1 ? { status: "failed" as const, error: damaged } : outcome,
      ),
  });
  const positions = [0, 1, 2].map((partition) => ({ consumer: "c", topic: "t", partition, nextOffset: 1n }));
  const { results, message } = await failed(applyImport({ store: broken, positions }));
  expect(results.map(({ status }) => status)).toEqual(["written", "failed", "written"]);
  expect(message).toMatch(/^damaged.*; of 3 positions 2 written, 1 not written; see /);
});
