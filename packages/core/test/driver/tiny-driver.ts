import type { StoreCapabilities } from "@tidemark/core";
import type { ErrorClassification, OffsetStoreDriver } from "@tidemark/core/driver";

/** An error that the tiny drivers take for one that may pass. */
export class PassingError extends Error {}

export const tinyCapabilities: StoreCapabilities = Object.freeze({
  atomicBatch: false,
  transactions: false,
  durability: "none",
  expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1 }),
  maxBatch: 3,
});

/** A driver that answers everything with success; a test replaces the verb that it is about. */
export function tinyDriver<Transaction = never>(
  replaced: Partial<OffsetStoreDriver<Transaction>> = {},
): OffsetStoreDriver<Transaction> {
  return {
    name: "tiny",
    capabilities: tinyCapabilities,
    claim: async (entries) => entries.map(() => ({ status: "claimed", record: undefined })),
    commit: async (entries) => entries.map(() => ({ status: "committed" })),
    fetch: async (asked) => asked.map(() => ({ status: "absent" })),
    list: async function* () {},
    reset: async (entries) => entries.map(() => ({ status: "reset" })),
    expire: async (entries) => entries.map(() => ({ status: "set" })),
    delete: async () => [],
    classify: (error): ErrorClassification =>
      error instanceof PassingError
        ? { code: "UNAVAILABLE", retryable: true, message: "the server is away; try again later" }
        : { code: "UNKNOWN", retryable: false, message: "see the cause" },
    close: async () => {},
    ...replaced,
  };
}

export function never(): Promise<never> {
  return new Promise(() => {});
}

export function keys(count: number): { consumer: string; topic: string; partition: number }[] {
  return Array.from({ length: count }, (_, partition) => ({ consumer: "c", topic: "t", partition }));
}
