import { type OffsetKey, type OffsetStore, OffsetStoreError } from "@tidemark/core";
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

/** What a store is made to look like that is one in memory. */
export type Surroundings = "memory" | "durable" | "remote";

/** A harness whose stores are memory stores with a fault. The records of a durable one outlive its clients, as in any of them. */
export function spoiledHarness(name: string, fault: Fault, surroundings: Surroundings = "memory"): StoreHarness {
  let standing: number | undefined;
  const backend = createMemoryBackend({ clock: () => standing ?? Date.now() });
  const sharedOf = new Map<string, Map<string, unknown>>();
  const open: StoreHarness["open"] = async (options) => {
    let cut = false;
    const memory = createMemoryStore({ ...options, backend });
    const store = surroundings === "remote" ? cutOff(memory, () => cut) : memory;
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
        configurable: true,
        value: typeof value === "function" && spoiled[verb] === undefined ? value.bind(store) : value,
      });
    }
    if (surroundings === "durable") {
      Object.defineProperty(broken, "capabilities", {
        value: Object.freeze({ ...store.capabilities, durability: "process" }),
      });
    }
    Object.defineProperty(broken, Symbol.asyncDispose, { value: () => broken.close() });
    const corrupt = async (key: OffsetKey): Promise<void> => void shared.set(`corrupt ${JSON.stringify(key)}`, true);
    return {
      store: broken,
      close: () => broken.close(),
      ...((name.includes("corrupt") || surroundings === "durable") && { corrupt }),
      ...(surroundings === "durable" && {
        peek: async (key: OffsetKey) => (await timeless.fetch([key]))[0]?.status === "found",
        reopen: async () => {
          await broken.close();
          return open(options);
        },
      }),
      ...(surroundings === "remote" && {
        interrupt: async () => {
          cut = true;
          return async () => void (cut = false);
        },
      }),
    };
  };
  return { name, connection: surroundings === "remote" ? "remote" : "embedded", open };
}

/** A store that fails as one on a server does, while it is cut off from it. */
function cutOff(store: OffsetStore, isCut: () => boolean): OffsetStore {
  const refuse = (): void => {
    if (!isCut()) return;
    const message = "memory store: the connection is cut; try again";
    throw new OffsetStoreError(message, { code: "UNAVAILABLE", operation: "fetch", store: "memory", retryable: true });
  };
  return {
    ...withVerbsWrapped(store, async (call) => {
      refuse();
      return call();
    }),
    list: async function* (...asked) {
      refuse();
      yield* store.list(...asked);
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
