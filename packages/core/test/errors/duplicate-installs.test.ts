import {
  ConsumerStateError,
  LogSourceError,
  OffsetFencedError,
  OffsetOutOfRangeError,
  OffsetStoreError,
} from "@tidemark/core";
import { expect, test, vi } from "vitest";

const key = { consumer: "c1", topic: "orders", partition: 0 };

test("errors of another copy of the package are recognised, each as what it is and nothing else (contract 3.19b)", async () => {
  vi.resetModules();
  const other = await import("@tidemark/core");
  expect(other.OffsetStoreError).not.toBe(OffsetStoreError);
  const own = { ConsumerStateError, OffsetStoreError, OffsetFencedError, OffsetOutOfRangeError, LogSourceError };
  const errors = [
    ["OffsetStoreError", new other.OffsetStoreError("m", { code: "TIMEOUT", operation: "fetch", store: "s" })],
    ["OffsetFencedError", new other.OffsetFencedError({ key, reason: "reset", owner: undefined })],
    ["OffsetOutOfRangeError", new other.OffsetOutOfRangeError({ topic: "orders", partition: 0, requested: 1n })],
    ["ConsumerStateError", new other.ConsumerStateError("m", { code: "NOT_NEXT" })],
    ["LogSourceError", new other.LogSourceError("m", { code: "UNAVAILABLE", retryable: true })],
  ] as const;
  for (const [name, error] of errors) {
    for (const [asked] of errors) expect(error instanceof own[asked], `${name} as ${asked}`).toBe(asked === name);
  }
  expect(new Error("m") instanceof OffsetStoreError).toBe(false);
  expect(Object.create(null) instanceof OffsetStoreError).toBe(false);
  expect((undefined as unknown) instanceof OffsetStoreError).toBe(false);
});
