import { openInTime } from "../open-in-time.ts";
import type { OpenedStore, OpenStoreOptions, StoreHarness } from "./store-harness.ts";

/**
 * Opens a client of the harness.
 *
 * @throws TypeError if what it gives is no `{ store, close }`.
 */
export async function openStore(harness: StoreHarness, options: OpenStoreOptions): Promise<OpenedStore> {
  const opened: unknown = await openInTime(() => harness.open(options));
  if (isOpened(opened)) return opened;
  throw new TypeError(`open() of the harness must return { store, close }, and returned ${textOf(opened)}`);
}

function isOpened(value: unknown): value is OpenedStore {
  return isObject(value) && isObject(value["store"]) && typeof value["close"] === "function";
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function textOf(value: unknown): string {
  if (!isObject(value)) return String(value);
  if (typeof value["commit"] === "function") return "the store itself";
  return isObject(value["store"]) ? "a store without close()" : "an object without a store";
}
