import type { OffsetStoreDriver } from "../../driver/driver.ts";
import type { OffsetKey } from "../../key.ts";
import type { OpenTransaction } from "../store/store-harness.ts";

/** How the kit asks for a driver. */
export interface OpenDriverOptions {
  /** Where the case works. Random and new for each case; a second `open` of the same one must see the same data. */
  readonly namespace: string;
}

/**
 * A driver with a client of its own, opened for one case.
 *
 * Which of the optional members must be there follows from `driver.capabilities` and `DriverHarness.connection` alone, as in a
 * store's harness: a missing one fails the case that needs it.
 *
 * | member | must be there |
 * |---|---|
 * | `corrupt` | if `capabilities.durability` is not `"none"` |
 * | `interrupt`, `silence`, `loseAnswers` | if `connection` is `"remote"` |
 * | `beginTransaction` | if `capabilities.transactions` is true |
 */
export interface OpenedDriver<Transaction = unknown> {
  readonly driver: OffsetStoreDriver<Transaction>;
  /**
   * Closes the driver, if the case has not, and what the harness opened around it. Once every client of a namespace is closed
   * the harness may remove its data.
   */
  close(): Promise<void>;
  /** Writes, past the driver, bytes that it would never write into the place of the key's entry, which exists. */
  corrupt?(key: OffsetKey): Promise<void>;
  /** Cuts this client off from the backend. Resolves to what restores the connection. */
  interrupt?(): Promise<() => Promise<void>>;
  /** From now on nothing that is sent arrives, and nothing is answered. Resolves to what restores it: by a new connection. */
  silence?(): Promise<() => Promise<void>>;
  /** From now on what is sent arrives, and its answer gets lost. Resolves to what restores it: by a new connection. */
  loseAnswers?(): Promise<() => Promise<void>>;
  /** Begins a transaction as a user of the backend's own client would. */
  beginTransaction?(): Promise<OpenTransaction<Transaction>>;
}

/** What an author of a driver gives the kit. */
export interface DriverHarness<Transaction = unknown> {
  /** Names the suite, for example `"redis cluster"`. */
  readonly name: string;
  /** As in `StoreHarness`. */
  readonly connection: "remote" | "embedded";
  /** Opens a driver. Called as `StoreHarness.open` is: again with the same namespace where a case needs two clients. */
  open(options: OpenDriverOptions): Promise<OpenedDriver<Transaction>>;
}
