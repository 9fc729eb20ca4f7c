import { OffsetStoreError } from "../../errors/offset-store-error.ts";
import type { OpenedStore, OpenStoreOptions, StoreHarness } from "./store-harness.ts";

/** How often a client with a short time-out is opened: a busy machine may need more than one attempt. */
const ATTEMPTS = 5;

/**
 * Opens a client of the harness; again if that was not answered in time.
 *
 * @throws TypeError if what it gives is no `{ store, close }`.
 */
export async function openStore(harness: StoreHarness, options: OpenStoreOptions): Promise<OpenedStore> {
  const opened: unknown = await openInTime(harness, options, ATTEMPTS);
  if (isOpened(opened)) return opened;
  throw new TypeError(`open() of the harness must return { store, close }, and returned ${textOf(opened)}`);
}

async function openInTime(harness: StoreHarness, options: OpenStoreOptions, attempts: number): Promise<unknown> {
  try {
    return await harness.open(options);
  } catch (error) {
    const isLate = error instanceof OffsetStoreError && error.code === "TIMEOUT";
    if (!isLate || attempts === 1) throw error;
    return openInTime(harness, options, attempts - 1);
  }
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
