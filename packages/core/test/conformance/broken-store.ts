import type { OffsetKey, OffsetStore } from "@tidemark/core";
import { createOffsetStore, type OffsetStoreDriver } from "@tidemark/core/driver";
import type { OpenedStore, StoreHarness } from "@tidemark/core/conformance";
import { backendNow, Connection, nameOf, SoundBackend, type SoundTransaction } from "./sound-backend.ts";
import { SoundDriver } from "./sound-driver.ts";

/** What a broken store may know of the one that it spoils. */
export interface Spoiling {
  /** The store as it should be. */
  readonly store: OffsetStore<SoundTransaction>;
  /** A store on the same records whose clock stands still at the beginning: to it nothing ever expires. */
  readonly timeless: OffsetStore;
  /** The sound stores of all namespaces that were opened, in their order. */
  readonly namespaces: ReadonlyMap<string, OffsetStore>;
  /** What clients of one namespace share, for faults that need a memory of their own. */
  readonly shared: Map<string, unknown>;
}

/** Some verbs, broken. */
export type Fault = (spoiling: Spoiling) => Partial<OffsetStore>;

/** Some verbs of a driver, broken. */
export type DriverFault = (
  driver: SoundDriver,
  shared: Map<string, unknown>,
) => Partial<OffsetStoreDriver<SoundTransaction>>;

/** What a store is made to look like. */
export type Surroundings = "memory" | "reclaiming" | "durable" | "remote" | "transactional";

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

/** How a harness is broken, if at all. */
export interface Breaking {
  readonly store?: Fault | undefined;
  readonly driver?: DriverFault | undefined;
  readonly surroundings?: Surroundings | undefined;
  readonly left?: Left | undefined;
}

/** A harness whose stores have a fault. The records of a durable one outlive its clients, as in any of them. */
export function spoiledHarness(name: string, breaking: Breaking): StoreHarness<SoundTransaction> {
  const { surroundings = "memory" } = breaking;
  const backend = new SoundBackend();
  const sharedOf = new Map<string, Map<string, unknown>>();
  const namespaces = new Map<string, OffsetStore>();
  const open: StoreHarness<SoundTransaction>["open"] = async (options) => {
    const connection = new Connection();
    const durability = surroundings === "durable" ? "process" : "none";
    const reclaim = surroundings === "reclaiming" ? "native" : "on-write";
    const expiry = { reclaim, granularityMs: 1 } as const;
    const capabilities = {
      durability,
      transactions: surroundings === "transactional",
      expiry: Object.freeze(expiry),
    } as const;
    const rows = backend.rows(options.namespace);
    const sound = new SoundDriver({ rows, connection, capabilities, reclaims: surroundings === "reclaiming" });
    const shared = sharedOf.get(options.namespace) ?? new Map<string, unknown>();
    sharedOf.set(options.namespace, shared);
    const driver = breaking.driver === undefined ? sound : over(sound, breaking.driver(sound, shared));
    const store = createOffsetStore(driver, options);
    namespaces.set(options.namespace, store);
    const startedAt = backendNow();
    const standing = new SoundDriver({ rows, connection, capabilities, clock: () => startedAt });
    const timeless = over(createOffsetStore(standing, options), {}) as unknown as OffsetStore;
    const broken =
      breaking.store === undefined
        ? store
        : brokenVerbs(store, breaking.store({ store, timeless, namespaces, shared }));
    return openedStore({ store: broken, sound, breaking, reopen: () => open(options) });
  };
  return { name, connection: surroundings === "remote" ? "remote" : "embedded", open };
}

function openedStore({
  store,
  sound,
  breaking: { surroundings, left = new Left() },
  reopen,
}: {
  readonly store: OffsetStore<SoundTransaction>;
  readonly sound: SoundDriver;
  readonly breaking: Breaking;
  readonly reopen: () => Promise<OpenedStore<SoundTransaction>>;
}): OpenedStore<SoundTransaction> {
  const leaveClient = left.enter("open client");
  const breakConnection = async (state: "cut" | "silent" | "answers-lost"): Promise<() => Promise<void>> => {
    const restore = sound.connection.break(state);
    const leave = left.enter(`${state} connection`);
    return () => restore().finally(leave);
  };
  return {
    store,
    close: () => store.close().finally(leaveClient),
    corrupt: async (key: OffsetKey) => {
      const row = sound.rows.get(nameOf(key));
      if (row !== undefined) sound.put(nameOf(key), { ...row, version: "damaged", value: "{ not a record" });
    },
    peek: async (key: OffsetKey) => {
      const row = sound.rows.get(nameOf(key));
      return row !== undefined && (surroundings !== "reclaiming" || row.reclaimAt > sound.clock());
    },
    ...(surroundings === "durable" && {
      reopen: async () => {
        await store.close();
        leaveClient();
        return reopen();
      },
      makeUnreadable: async (key: OffsetKey) => {
        sound.rows.unreadable.add(nameOf(key));
        const leave = left.enter("unreadable entry");
        return async () => {
          sound.rows.unreadable.delete(nameOf(key));
          leave();
        };
      },
      makeUnavailable: async () => {
        sound.rows.isGone = true;
        const leave = left.enter("backend that is gone");
        return async () => {
          sound.rows.isGone = false;
          leave();
        };
      },
    }),
    ...(surroundings === "transactional" && {
      beginTransaction: async () => {
        const { begin } = sound;
        if (begin === undefined) throw new Error("a store with transactions begins them");
        const { transaction, commit, rollback } = await begin();
        const leave = left.enter("open transaction");
        return { transaction, commit: () => commit().finally(leave), rollback: () => rollback().finally(leave) };
      },
    }),
    ...(surroundings === "remote" && {
      interrupt: () => breakConnection("cut"),
      silence: () => breakConnection("silent"),
      loseAnswers: () => breakConnection("answers-lost"),
    }),
  };
}

/** The store with some verbs replaced. */
function brokenVerbs(
  store: OffsetStore<SoundTransaction>,
  spoiled: Partial<OffsetStore>,
): OffsetStore<SoundTransaction> {
  const { list } = spoiled;
  // A fault of a listing is not that it forgets its arguments' types, or can be read but once.
  const replaced: Partial<OffsetStore> = {
    ...spoiled,
    ...(list !== undefined && {
      list: (...asked) => {
        store.list(...asked);
        return { [Symbol.asyncIterator]: () => list(...asked)[Symbol.asyncIterator]() };
      },
    }),
  };
  return over(store, replaced as Partial<OffsetStore<SoundTransaction>>);
}

/** An object with some members replaced: the others stay its own. */
function over<Whole extends object>(whole: Whole, replaced: Partial<Whole>): Whole {
  return new Proxy(whole, {
    get: (target, name) => {
      if (name in replaced) return Reflect.get(replaced, name) as unknown;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}
