import { OffsetStoreError, type OffsetStoreOperation } from "../errors/offset-store-error.ts";
import { formatKey, type OffsetKey } from "../key.ts";
import type { CommitRefusal, FencedOutcome, TransactEntry } from "../offset-store.ts";
import { DeadlineExceeded } from "./deadline.ts";
import { type DriverKey, type ErrorClassification, type OffsetStoreDriver, UnreadableRecordError } from "./driver.ts";

/** Makes the errors of one store: they name the keys, say what happened and what to do (contract 3.19). */
export class StoreErrors {
  readonly #driver: Pick<OffsetStoreDriver, "name" | "classify">;

  constructor(driver: Pick<OffsetStoreDriver, "name" | "classify">) {
    this.#driver = driver;
  }

  /** The store's error for any thrown value; one of ours passes as it is. */
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
    const text = `the commit for ${formatKey(key)} was refused: ${whyRefused(refusal)}; roll the transaction back`;
    return new OffsetStoreError(text, { code: "CONFLICT", ...this.#of("commit", [key]), refusal });
  }

  /** The same of a transaction of the store's own, which is rolled back already. */
  refusedOwn(key: OffsetKey, refusal: CommitRefusal): OffsetStoreError {
    const text = `the commit for ${formatKey(key)} was refused: ${whyRefused(refusal)}; the transaction was rolled back`;
    return new OffsetStoreError(text, { code: "CONFLICT", ...this.#of("transact", [key]), refusal });
  }

  /** The position was written while a transaction of the store's own was open. */
  gaveWay(key: OffsetKey): OffsetStoreError {
    const text = `another client wrote the record of ${formatKey(key)} while the transaction was open; the transaction was rolled back`;
    return new OffsetStoreError(text, { code: "CONFLICT", retryable: true, ...this.#of("transact", [key]) });
  }

  /** A transaction of the store's own was sent to be committed, and it is not known whether it was. */
  unknownOutcome(
    { key, nextOffset }: TransactEntry,
    error: OffsetStoreError,
    refusal?: FencedOutcome,
  ): OffsetStoreError {
    const text =
      `it is not known whether the transaction of ${formatKey(key)} was committed: ${error.message}. ` +
      `Check the stored position before you write the results again: if it is ${nextOffset} or more, they are stored`;
    const { code, retryable } = refusal === undefined ? error : { code: "CONFLICT" as const, retryable: false };
    return new OffsetStoreError(text, {
      code,
      retryable,
      ...this.#of("transact", [key]),
      ...(refusal && { refusal }),
      cause: error,
    });
  }

  /** With fewer answers than entries, one would go to an entry that it is not for. */
  checkAnswers(operation: OffsetStoreOperation, keys: readonly DriverKey[], answers: readonly unknown[]): void {
    if (answers.length === keys.length) return;
    throw new OffsetStoreError(
      `${this.#driver.name} store: ${operation} got ${answers.length} answers for ${keys.length} entries: ` +
        "this is a bug in the store's driver, report it",
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
    return { code: "TIMEOUT", retryable: true, message: `${error.message}; it is safe to retry` };
  }
}

function whyRefused(refusal: CommitRefusal): string {
  if (refusal.status === "behind")
    return `the stored position ${refusal.record.nextOffset} is at or beyond the one to commit`;
  const { reason, owner } = refusal;
  return `the claim is no longer valid (${reason}${owner === undefined ? "" : ` by ${JSON.stringify(owner)}`})`;
}
