import type { StoreUrlOpener } from "@tidemark/core";
import { createMemoryStore } from "./create-memory-store.ts";
import { createMemoryBackend, type MemoryBackend } from "./memory-backend.ts";

const backends = new Map<string, MemoryBackend>();

/**
 * Opens `memory:` and `memory:NAME`. The same name in the same process is the same data, for as long as the process
 * lives; `memory:` is the one without a name.
 */
export const storeUrl: StoreUrlOpener = Object.freeze({
  schemes: Object.freeze(["memory"]),
  usage: "memory:",
  async open(url, options = {}) {
    const match = /^memory:(?:\/\/)?([^?#]*)$/su.exec(url);
    const name = match?.[1];
    if (name === undefined) {
      throw new TypeError(
        `${JSON.stringify(url)} is not a memory store's URL: write memory: or memory:NAME, without ? and #`,
      );
    }
    let backend = backends.get(name);
    if (backend === undefined) {
      backend = createMemoryBackend();
      backends.set(name, backend);
    }
    return createMemoryStore({ ...options, backend });
  },
} satisfies StoreUrlOpener);
