import { OffsetStoreError, type OffsetStoreOperation } from "../errors/offset-store-error.ts";
import { formatKey, type OffsetKey } from "../key.ts";
import type { CommitRefusal } from "../offset-store.ts";
import { DeadlineExceeded } from "./deadline.ts";
import { type DriverKey, type ErrorClassification, type OffsetStoreDriver, UnreadableRecordError } from "./driver.ts";

/** Makes the errors of one store: they name the keys, say what happened and what to do (contract 3.19). */
export class StoreErrors {
  readonly #driver: Pick<OffsetStoreDriver, "name" | "classify">;

  constructor(driver: Pick<OffsetStoreDriver, "name" | "classify">) {
    this.#driver = driver;
  }

  /** The store's error for whatever was thrown; one of ours passes as it is. */
  wrap(operation: OffsetStoreOperation, keys: readonly DriverKey[], error: unknown): OffsetStoreError {
    return error instanceof OffsetStoreError ? error : this.describe(operation, keys, error);
  }

  /** A new error that names these keys. */
  describe(operation: OffsetStoreOperation, keys: readonly DriverKey[], error: unknown): OffsetStoreError {
    const { code, retryable, message } = this.#classify(error);
    const about = keys.length === 0 ? "" : ` for ${keys.slice(0, 3).map(formatKey).join(", ")}`;
    const more = keys.length > 3 ? ` and ${keys.length - 3} more` : "";
    const text = `${this.#driver.name} store: ${operation}${about}${more} failed: ${message}`;
    return new OffsetStoreError(text, { code, retryable, ...this.#of(operation, keys), cause: error });
  }

  closed(operation: OffsetStoreOperation): OffsetStoreError {
    const text = `the ${this.#driver.name} store is closed; open it again to ${operation}`;
    return new OffsetStoreError(text, { code: "CLOSED", ...this.#of(operation, []) });
  }

  withoutTransactions(keys: readonly DriverKey[]): OffsetStoreError {
    const text =
      `the ${this.#driver.name} store cannot commit inside a caller's transaction; ` +
      "commit after your own write, and make that write idempotent";
    return new OffsetStoreError(text, { code: "UNSUPPORTED", ...this.#of("commit", keys) });
  }

  /** What a refusal inside a transaction rejects with: the caller's other writes have to go too (contract 3.16b). */
  refused(key: OffsetKey, refusal: CommitRefusal): OffsetStoreError {
    const why =
      refusal.status === "behind"
        ? `its position ${refusal.record.nextOffset} is not before what was to be committed`
        : `the claim does not hold (${refusal.reason}${refusal.owner === undefined ? "" : ` by ${JSON.stringify(refusal.owner)}`})`;
    const text = `${formatKey(key)} was refused: ${why}; roll the transaction back`;
    return new OffsetStoreError(text, { code: "CONFLICT", ...this.#of("commit", [key]), refusal });
  }

  /** With fewer answers than entries, one would go to an entry that it is not for. */
  checkAnswers(operation: OffsetStoreOperation, keys: readonly DriverKey[], answers: readonly unknown[]): void {
    if (answers.length === keys.length) return;
    throw new OffsetStoreError(
      `${this.#driver.name} store: ${operation} got ${answers.length} answers to ${keys.length} entries: ` +
        "this is a fault of the store's driver, report it",
      { code: "UNKNOWN", ...this.#of(operation, keys) },
    );
  }

  #of(operation: OffsetStoreOperation, keys: readonly DriverKey[]) {
    return { operation, store: this.#driver.name, keys: keys.filter((key) => "partition" in key) };
  }

  #classify(error: unknown): ErrorClassification {
    if (error instanceof OffsetStoreError) return error;
    if (error instanceof UnreadableRecordError) {
      return { code: "CORRUPT_RECORD", retryable: false, message: error.message };
    }
    if (!(error instanceof DeadlineExceeded)) return this.#driver.classify(error);
    return { code: "TIMEOUT", retryable: true, message: `${error.message}; repeating it is safe` };
  }
}
