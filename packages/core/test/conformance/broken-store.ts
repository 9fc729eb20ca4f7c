import { setTimeout as delay } from "node:timers/promises";
import { type OffsetKey, type OffsetStore, OffsetStoreError } from "@tidemark/core";
import type { StoreHarness } from "@tidemark/core/conformance";
import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";
import { beginMemoryTransaction, committingWithin } from "./memory-transactions.ts";

/** The backend's own clock: a client whose clock is wrong does not set it. */
const backendNow = Date.now;

/** What a broken store may know of the one that it spoils. */
export interface Spoiling {
  /** The store as it should be. */
  readonly store: OffsetStore;
  /** A store on the same records whose clock stands still at the beginning: to it nothing ever expires. */
  readonly timeless: OffsetStore;
  /** The sound stores of all namespaces that were opened, in their order. */
  readonly namespaces: ReadonlyMap<string, OffsetStore>;
  /** What clients of one namespace share, for faults that need a memory of their own. */
  readonly shared: Map<string, unknown>;
}

/** Some verbs, broken. */
export type Fault = (spoiling: Spoiling) => Partial<OffsetStore>;

/** What a store is made to look like that is one in memory. */
export type Surroundings = "memory" | "durable" | "remote" | "transactional";

/** What is open of what a harness has opened. */
export class Left {
  readonly #open = new Map<symbol, string>();

  /** Notes something that must be left again; gives what says that it was. */
  enter(what: string): () => void {
    const id = Symbol(what);
    this.#open.set(id, what);
    return () => void this.#open.delete(id);
  }

  get open(): readonly string[] {
    return [...this.#open.values()];
  }
}

/** A harness whose stores are memory stores with a fault. The records of a durable one outlive its clients, as in any of them. */
export function spoiledHarness(
  name: string,
  fault: Fault,
  surroundings: Surroundings = "memory",
  left: Left = new Left(),
): StoreHarness {
  let standing: number | undefined;
  const backend = createMemoryBackend({ clock: () => standing ?? backendNow() });
  const sharedOf = new Map<string, Map<string, unknown>>();
  const namespaces = new Map<string, OffsetStore>();
  const open: StoreHarness["open"] = async (options) => {
    let connection: "on" | "cut" | "silent" = "on";
    const memory = createMemoryStore({ ...options, backend });
    const store =
      surroundings === "remote"
        ? cutOff(memory, () => connection, options.timeout)
        : surroundings === "transactional"
          ? withTransactions(memory)
          : memory;
    const shared = sharedOf.get(options.namespace) ?? new Map<string, unknown>();
    sharedOf.set(options.namespace, shared);
    namespaces.set(options.namespace, store);
    const startedAt = backendNow();
    const timeless = withVerbsWrapped(store, async (call) => {
      // The memory store reads its clock in the same synchronous run in which a verb is called.
      standing = startedAt;
      const pending = call();
      standing = undefined;
      return pending;
    });
    const broken = Object.create(store) as OffsetStore;
    const verbs = ["claim", "commit", "fetch", "list", "reset", "expire", "delete", "close"] as const;
    const spoiled: { -readonly [Verb in keyof OffsetStore]?: OffsetStore[Verb] } = fault({
      store,
      timeless,
      namespaces,
      shared,
    });
    const { list } = spoiled;
    // A fault of a listing is not that it forgets its arguments' types, or can be read but once.
    if (list !== undefined) {
      spoiled.list = (...asked) => {
        store.list(...asked);
        return { [Symbol.asyncIterator]: () => list(...asked)[Symbol.asyncIterator]() };
      };
    }
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
    const leaveClient = left.enter("open client");
    const corrupt = async (key: OffsetKey): Promise<void> => void shared.set(`corrupt ${JSON.stringify(key)}`, true);
    return {
      store: broken,
      close: () => broken.close().finally(leaveClient),
      ...((/corrupt|cannot (?:be )?read/.test(name) || surroundings === "durable") && { corrupt }),
      ...(surroundings === "durable" && {
        peek: async (key: OffsetKey) => (await timeless.fetch([key]))[0]?.status === "found",
        reopen: async () => {
          await broken.close();
          leaveClient();
          return open(options);
        },
      }),
      ...(surroundings === "transactional" && {
        beginTransaction: async () => {
          const begun = beginMemoryTransaction(memory);
          const leave = left.enter("open transaction");
          return {
            transaction: begun.transaction,
            commit: () => begun.commit().finally(leave),
            rollback: () => begun.rollback().finally(leave),
          };
        },
      }),
      ...(surroundings === "remote" && {
        interrupt: async () => {
          connection = "cut";
          const leave = left.enter("cut connection");
          return async () => {
            connection = "on";
            leave();
          };
        },
        silence: async () => {
          connection = "silent";
          const leave = left.enter("silent connection");
          return async () => {
            connection = "on";
            leave();
          };
        },
      }),
    };
  };
  return { name, connection: surroundings === "remote" ? "remote" : "embedded", open };
}

/** A store that fails as one on a server does, while it is cut off from it or gets no answer. */
function cutOff(store: OffsetStore, state: () => "on" | "cut" | "silent", timeoutMs = 10_000): OffsetStore {
  const refuse = async (): Promise<void> => {
    const now = state();
    if (now === "on") return;
    if (now === "silent") await delay(timeoutMs);
    const [message, code] =
      now === "cut"
        ? ["memory store: the connection is cut; try again", "UNAVAILABLE" as const]
        : [`memory store: no answer within ${timeoutMs} ms; try again`, "TIMEOUT" as const];
    throw new OffsetStoreError(message, { code, operation: "fetch", store: "memory", retryable: true });
  };
  return {
    ...withVerbsWrapped(store, async (call) => {
      // The memory store reads its clock in the same synchronous run in which a verb is called.
      if (state() !== "on") await refuse();
      return call();
    }),
    list: async function* (...asked) {
      await refuse();
      yield* store.list(...asked);
    },
  };
}

/** A store that says that it takes transactions, and does. */
function withTransactions(store: OffsetStore): OffsetStore {
  return {
    ...withVerbsWrapped(store, (call) => call()),
    capabilities: Object.freeze({ ...store.capabilities, transactions: true }),
    commit: committingWithin(store),
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
