import type { OffsetStoreDriver } from "./driver.ts";

const drivers = new WeakMap<object, OffsetStoreDriver<unknown>>();

/** Notes which driver a store was made from. */
export function noteDriver(store: object, driver: OffsetStoreDriver<never>): void {
  drivers.set(store, driver);
}

/** The driver that a store was made from, for the conformance kit: who tests a store has no other way to it. */
export function driverOf(store: object): OffsetStoreDriver<unknown> | undefined {
  return drivers.get(store);
}
