import type { OffsetKey } from "../../key.ts";
import type { OffsetStoreEvent } from "../../driver/store-options.ts";
import type { OffsetStore } from "../../offset-store.ts";

/** How the kit asks for a store. */
export interface OpenStoreOptions {
  /** Where the case works. Random and new for each case; a second `open` of the same one must see the same data. */
  readonly namespace: string;
  /** Milliseconds for the store's `timeout` option. Absent: the store's own default. */
  readonly timeout?: number;
  /**
   * For the store's `onEvent` option: the kit listens for `retry`. A call that the store makes again may be seen twice, and
   * to a kit that does not know of it the second time looks like a fault.
   */
  readonly onEvent?: (event: OffsetStoreEvent) => void;
}

/** A caller's transaction on the backend, as the store's users would begin one. */
export interface OpenTransaction<Transaction = unknown> {
  /** What `commit` takes as its `transaction` option. */
  readonly transaction: Transaction;
  /** Commits it. */
  commit(): Promise<void>;
  /** Rolls it back. */
  rollback(): Promise<void>;
}

/**
 * One client of the backend, opened for one case.
 *
 * Which of the optional members must be there follows from `store.capabilities` and `StoreHarness.connection` alone. A
 * missing one fails the case that needs it, and so does one that should not be there: there is nothing to opt out of. Only
 * the last two may be left out; `tidemark-conformance` reports the cases that need them as not tried then.
 *
 * | member | must be there |
 * |---|---|
 * | `reopen`, `peek`, `corrupt` | if and only if `capabilities.durability` is not `"none"` (`peek` and `corrupt` may be there in any case) |
 * | `interrupt`, `silence` | if and only if `connection` is `"remote"` |
 * | `loseAnswers` | where `testOffsetStoreDriver` tests a store whose `connection` is `"remote"` |
 * | `beginTransaction` | if and only if `capabilities.transactions` is true |
 * | `makeUnreadable` | wherever you can make the backend fail for one key |
 * | `makeUnavailable` | wherever `connection` is `"embedded"` and you can take the whole backend away |
 */
export interface OpenedStore<Transaction = unknown> {
  readonly store: OffsetStore<Transaction>;
  /**
   * Closes the store, if the case has not, and what the harness opened around it. Once every client of a namespace is
   * closed the harness may remove its data.
   */
  close(): Promise<void>;
  /**
   * Closes this client and opens a new one, so that nothing survives but what the backend itself keeps. For an embedded
   * store that means: closes the file. Keeps the data, also when this was the namespace's only client.
   */
  reopen?(): Promise<OpenedStore<Transaction>>;
  /** Reads the backend itself, past the store: whether anything is physically kept for the key, expired or not. */
  peek?(key: OffsetKey): Promise<boolean>;
  /**
   * Overwrites the existing record of the key, without using the store, with bytes that no store would write. Use
   * another version, as for an edit by hand: a store that holds the claim compares only the version.
   */
  corrupt?(key: OffsetKey): Promise<void>;
  /** Cuts this client off from the backend; its calls fail or go unanswered. Resolves to what restores the connection. */
  interrupt?(): Promise<() => Promise<void>>;
  /**
   * Makes the server silent for this client: connections stay, or are accepted, but nothing that is sent arrives, and
   * nothing is answered. Resolves to a function that restores the connection, or opens a new one.
   */
  silence?(): Promise<() => Promise<void>>;
  /**
   * Has the answers to this client get lost: what it sends arrives. Resolves to what restores the connection, by a new one.
   * `connectionFaults` makes this, `interrupt` and `silence` of a proxy.
   */
  loseAnswers?(): Promise<() => Promise<void>>;
  /** Begins a transaction as a user of the backend's own client would. */
  beginTransaction?(): Promise<OpenTransaction<Transaction>>;
  /**
   * Has the backend fail to give what lies under a key, which exists: a read that ends in an error, or that brings what the
   * driver itself cannot take apart. Keys of other topics stay readable. Resolves to what makes the entry as it was.
   */
  makeUnreadable?(key: OffsetKey): Promise<() => Promise<void>>;
  /**
   * Takes away the whole backend of this namespace, as when its disk is pulled out. Resolves to what brings it back with all of its
   * data. For embedded stores: a remote one has `interrupt`.
   */
  makeUnavailable?(): Promise<() => Promise<void>>;
}

/** What an author of a store gives the kit. */
export interface StoreHarness<Transaction = unknown> {
  /** Names the suite, for example `"redis cluster"`. */
  readonly name: string;
  /**
   * Whether something that can break lies between the store and its data (`remote`), or nothing does (`embedded`). What serves
   * a remote one runs in a process of its own: a case sets the clock of this one wrong.
   */
  readonly connection: "remote" | "embedded";
  /**
   * The URL of a module that exports this harness as `storeHarness`: `import.meta.url`, where it is a file of its own. With it
   * the kit opens the store in a second process too.
   */
  readonly module?: string;
  /**
   * Opens a client. Called once per case with a namespace of its own, so that cases run side by side on one server, and
   * again with the same namespace while the first client is open where a case needs two processes' worth of clients:
   * both must see the same data, through connections of their own.
   */
  open(options: OpenStoreOptions): Promise<OpenedStore<Transaction>>;
}
