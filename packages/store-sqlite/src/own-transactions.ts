import type { DatabaseSync } from "node:sqlite";
import type { DriverContext, OwnTransaction } from "@tidemark/core/driver";
import type { Connection } from "./connection.ts";
import type { SqliteTransaction } from "./sqlite-transaction.ts";

/**
 * Transactions that the store begins itself, one at a time, on a handle of their own: the store's other calls never get into
 * one. They wait for the file meanwhile, so one must end before anything else in the process has its turn.
 */
export class OwnTransactions {
  readonly #connection: Connection;
  #handle: DatabaseSync | undefined;
  #last: Promise<void> = Promise.resolve();

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async begin(context: Pick<DriverContext, "signal">): Promise<OwnTransaction<SqliteTransaction>> {
    const previous = this.#last;
    const turn = Promise.withResolvers<void>();
    this.#last = turn.promise;
    await previous;
    try {
      const transaction = await this.#connection.write(context, () => this.#begin());
      return {
        transaction,
        isSynchronous: true,
        commit: async () => {
          transaction.exec("COMMIT");
          turn.resolve();
        },
        rollback: async () => {
          this.#close(transaction);
          turn.resolve();
        },
      };
    } catch (error) {
      turn.resolve();
      throw error;
    }
  }

  close(): void {
    if (this.#handle !== undefined) this.#close(this.#handle);
  }

  #begin(): DatabaseSync {
    this.#handle ??= this.#connection.openAnother();
    this.#handle.exec("BEGIN IMMEDIATE");
    return this.#handle;
  }

  /** A caller that still uses the handle of a failed transaction must not write into the next one. */
  #close(handle: DatabaseSync): void {
    if (this.#handle === handle) this.#handle = undefined;
    if (handle.isOpen) handle.close();
  }
}
