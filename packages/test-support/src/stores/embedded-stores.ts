import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";
import { openSqliteStore } from "@tidemark/store-sqlite";
import type { TestedStore } from "./store-backend.ts";

/** The store in memory: the reference. */
export const memory: TestedStore = {
  name: "memory",
  async openBackend() {
    const backend = createMemoryBackend();
    return {
      open: async ({ timeout, namespace, onEvent } = {}) => createMemoryStore({ backend, namespace, timeout, onEvent }),
      close: async () => undefined,
    };
  },
};

/** The store in a file, each client with a handle of its own. */
export const sqlite: TestedStore = {
  name: "sqlite",
  async openBackend() {
    const folder = await mkdtemp(join(tmpdir(), "tidemark-store-"));
    return {
      open: ({ timeout, namespace, onEvent } = {}) =>
        openSqliteStore({ file: join(folder, "offsets.db"), namespace, synchronous: "normal", timeout, onEvent }),
      close: () => rm(folder, { recursive: true }),
    };
  },
};

/** A name that nobody else works under. */
export function newNamespace(): string {
  return `test-${randomBytes(8).toString("hex")}`;
}
