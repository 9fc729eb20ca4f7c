import { type Document, serialize } from "bson";
import type { Pool } from "pg";

import { CommandError } from "./command-error.ts";
import { EngineTransaction, noSuchTransaction } from "./engine-transaction.ts";
import type { Command } from "./wire-message.ts";

const DONE = serialize({ ok: 1 });

/** A driver's session with its newest transaction, and MongoDB's rules for when one begins, ends and is over. */
export class GatewaySession {
  readonly #pool: Pool;
  /** The connections that have carried the transaction. */
  readonly #carriers = new Set<object>();
  #number = -1n;
  #state: "open" | "over" | "committed" | "unknown" = "over";
  #transaction: EngineTransaction | undefined;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  /**
   * Answers a command of a transaction, one after the other. Rejects if it cannot know the answer: the engine was lost
   * while it committed.
   */
  answer(command: Command, fields: Document, carrier: object): Promise<Uint8Array> {
    return this.#next(() =>
      this.#answer(command, fields, carrier).catch(async (error: unknown) => {
        if (error instanceof CommandError) return serialize(error.reply);
        throw error;
      }),
    );
  }

  /** Rolls back what no living connection has carried: its client is gone. (MongoDB does so after a minute.) */
  leave(carrier: object): void {
    if (this.#carriers.delete(carrier)) {
      void this.#next(async () => (this.#carriers.size === 0 ? this.#rollBack() : undefined));
    }
  }

  /** Rolls back what is open. */
  close(): Promise<void> {
    return this.#next(() => this.#rollBack());
  }

  #next<Result>(act: () => Promise<Result>): Promise<Result> {
    const result = this.#queue.then(act);
    this.#queue = result.catch(() => undefined);
    return result;
  }

  async #answer(command: Command, fields: Document, carrier: object): Promise<Uint8Array> {
    const number = fields["txnNumber"] as bigint;
    if (number < this.#number) {
      throw new CommandError("TransactionTooOld", `transaction ${number} is older than ${this.#number}`);
    }
    if (fields["startTransaction"] === true) await this.#begin(number);
    else if (number > this.#number) throw noSuchTransaction(`the session has begun none with the number ${number}`);
    this.#carriers.add(carrier);
    if (this.#state === "unknown") throw new Error("the engine was lost while it committed");
    if (this.#state === "committed") {
      // A driver repeats a commit whose answer was lost.
      if (command.name === "commitTransaction") return DONE;
      throw new CommandError("TransactionCommitted", `transaction ${number} has been committed`);
    }
    if (this.#state === "over" || this.#transaction === undefined) throw noSuchTransaction(`${number} is over`);
    if (command.name === "commitTransaction") return this.#commit(this.#transaction);
    if (command.name === "abortTransaction") return this.#rollBack().then(() => DONE);
    try {
      const { reply, failed } = await this.#transaction.run(command);
      if (failed) await this.#rollBack();
      return reply;
    } catch (error) {
      // As in MongoDB, no transaction continues after an error.
      await this.#rollBack();
      throw error;
    }
  }

  async #begin(number: bigint): Promise<void> {
    if (number === this.#number) {
      throw new CommandError("ConflictingOperationInProgress", `transaction ${number} has begun before`);
    }
    await this.#rollBack();
    this.#carriers.clear();
    this.#number = number;
    this.#state = "over";
    this.#transaction = await EngineTransaction.begin(this.#pool);
    this.#state = "open";
  }

  async #commit(transaction: EngineTransaction): Promise<Uint8Array> {
    this.#transaction = undefined;
    this.#state = "unknown";
    try {
      await transaction.commit();
    } catch (error) {
      if (error instanceof CommandError) this.#state = "over";
      throw error;
    }
    this.#state = "committed";
    return DONE;
  }

  async #rollBack(): Promise<void> {
    const transaction = this.#transaction;
    if (transaction === undefined) return;
    this.#transaction = undefined;
    this.#state = "over";
    await transaction.rollback();
  }
}
