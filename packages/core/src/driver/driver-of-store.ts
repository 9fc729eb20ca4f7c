import type { OffsetStoreDriver } from "./driver.ts";

/** Under this symbol, which all copies of this package share, a store has the driver that it was made from. */
const driverOfStore = Symbol.for("@tidemark/core/driver-of-store");

/** Notes which driver a store was made from. */
export function noteDriver<Transaction>(store: object, driver: OffsetStoreDriver<Transaction>): void {
  Object.defineProperty(store, driverOfStore, { value: driver });
}

/** The driver that a store was made from, for the conformance kit: who tests a store has no other way to it. */
export function driverOf(store: object): OffsetStoreDriver<unknown> | undefined {
  return (store as { readonly [driverOfStore]?: OffsetStoreDriver<unknown> })[driverOfStore];
}
