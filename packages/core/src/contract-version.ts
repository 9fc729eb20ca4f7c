import type { OffsetStore } from "./offset-store.ts";

/**
 * The version of the contract between this package and its stores and logs. Raised by every release after which a driver,
 * a store or a source that was written before it would do something wrong.
 */
export const CONTRACT_VERSION = 1;

/** Under this symbol, which all copies of this package share, a store that `createOffsetStore` made carries its version. */
export const contractBrand: unique symbol = Symbol.for("@tidemark/core/contract-version");

/**
 * Refuses what was written for another contract: package managers have options to install it all the same.
 *
 * @param what A store or a log, for the message, for example `the redis store`.
 * @param version The contract that it was written for. Without one it was written for the first, which had no version.
 * @throws TypeError if it is not this package's.
 */
export function validateContractVersion(what: string, version = 1): void {
  if (version === CONTRACT_VERSION) return;
  throw new TypeError(
    `${what} is built for version ${version} of Tidemark's contract, and this @tidemark/core implements version ${CONTRACT_VERSION}: install releases of both whose peerDependencies agree`,
  );
}

/**
 * Refuses a store that another copy of this package made for another contract. One that was not made by
 * `createOffsetStore` carries no version: nothing is known of it.
 *
 * @throws TypeError
 */
export function validateContractOfStore(store: OffsetStore<never> | undefined): void {
  const { [contractBrand]: version, name }: { readonly [contractBrand]?: unknown; readonly name?: string } =
    store ?? {};
  // A mock that has a member of every name has one of this name, too.
  if (typeof version === "number") validateContractVersion(`the ${name} store`, version);
}
