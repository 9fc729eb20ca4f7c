import type { OffsetKey, OffsetStore } from "@tidemark/core";
import type { StoreHarness } from "@tidemark/core/conformance";
import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";

/** What a broken store may know of the one that it spoils. */
export interface Spoiling {
  /** The store as it should be. */
  readonly store: OffsetStore;
  /** A store on the same records whose clock stands still at the beginning: to it nothing ever expires. */
  readonly timeless: OffsetStore;
  /** What clients of one namespace share, for faults that need a memory of their own. */
  readonly shared: Map<string, unknown>;
}

/** Some verbs, broken. */
export type Fault = (spoiling: Spoiling) => Partial<OffsetStore>;

/** A harness whose stores are memory stores with a fault. */
export function spoiledHarness(name: string, fault: Fault): StoreHarness {
  let standing: number | undefined;
  const backend = createMemoryBackend({ clock: () => standing ?? Date.now() });
  const sharedOf = new Map<string, Map<string, unknown>>();
  return {
    name,
    connection: "embedded",
    open: async (options) => {
      const store = createMemoryStore({ ...options, backend });
      const shared = sharedOf.get(options.namespace) ?? new Map<string, unknown>();
      sharedOf.set(options.namespace, shared);
      const startedAt = Date.now();
      const timeless = withVerbsWrapped(store, async (call) => {
        // The memory store reads its clock in the same synchronous run in which a verb is called.
        standing = startedAt;
        const pending = call();
        standing = undefined;
        return pending;
      });
      const broken = Object.create(store) as OffsetStore;
      const verbs = ["claim", "commit", "fetch", "list", "reset", "expire", "delete", "close"] as const;
      const spoiled: Partial<OffsetStore> = fault({ store, timeless, shared });
      for (const verb of [...verbs, "name", "namespace", "capabilities"] as const) {
        const value: unknown = spoiled[verb] ?? store[verb];
        Object.defineProperty(broken, verb, {
          value: typeof value === "function" && spoiled[verb] === undefined ? value.bind(store) : value,
        });
      }
      Object.defineProperty(broken, Symbol.asyncDispose, { value: () => store.close() });
      const corrupt = async (key: OffsetKey): Promise<void> => void shared.set(`corrupt ${JSON.stringify(key)}`, true);
      return { store: broken, close: () => store.close(), ...(name.includes("corrupt") && { corrupt }) };
    },
  };
}

function withVerbsWrapped(
  store: OffsetStore,
  around: <Result>(call: () => Promise<Result>) => Promise<Result>,
): OffsetStore {
  return {
    name: store.name,
    namespace: store.namespace,
    capabilities: store.capabilities,
    claim: (...asked) => around(() => store.claim(...asked)),
    commit: (...asked) => around(() => store.commit(...asked)),
    fetch: (...asked) => around(() => store.fetch(...asked)),
    list: (...asked) => store.list(...asked),
    reset: (...asked) => around(() => store.reset(...asked)),
    expire: (...asked) => around(() => store.expire(...asked)),
    delete: (...asked) => around(() => store.delete(...asked)),
    close: () => store.close(),
    [Symbol.asyncDispose]: () => store.close(),
  };
}
