import type { OwnTransaction } from "@tidemark/core/driver";
import { isUsableAfter, listenToErrors, type PostgresClient } from "./postgres-client.ts";
import { FailedTransactionError } from "./postgres-errors.ts";
import { transactionHandle } from "./transaction-handle.ts";

/** A connection that a pool has lent for one transaction. */
export interface ReservedClient extends PostgresClient {
  /** Gives it back. `isBroken`: it cannot be used again, and the pool must close it. */
  release(isBroken?: boolean): void;
}

/**
 * Where the store's own transactions take their connections from: a `Pool` of pg has `connect()`, and a PGlite has
 * `transaction(run)`, for one at a time. For postgres.js write `reserve()`.
 */
export type PostgresPool =
  | { connect(): Promise<ReservedClient> }
  | { reserve(): Promise<ReservedClient> }
  | { transaction(run: (transaction: PostgresClient) => Promise<void>): Promise<unknown> };

/** Milliseconds that the end of a failed transaction is waited for; the server ends it with the connection otherwise. */
const ROLLBACK_MS = 1_000;

/** Begins the store's own transactions, each on a connection that nothing else uses meanwhile. */
export class TransactionPool {
  readonly #pool: PostgresPool;
  readonly #idleMs: number;
  readonly #stopListening: () => void;
  /** By their handles: what has ended the connection of a transaction while no statement was under way on it. */
  readonly #broken = new WeakMap<PostgresClient, unknown>();

  /** `idleMs`: after so many milliseconds without a statement the server ends a transaction. */
  constructor(pool: PostgresPool, idleMs: number) {
    this.#pool = pool;
    this.#idleMs = idleMs;
    // A connection that breaks while it is idle is replaced.
    this.#stopListening = listenToErrors(pool);
  }

  /** Leaves a caller's pool as it was. */
  leave(): void {
    this.#stopListening();
  }

  async begin(signal: AbortSignal): Promise<OwnTransaction<PostgresClient>> {
    const pool = this.#pool;
    if ("transaction" in pool) return beginInTurn(pool);
    const client = await ("connect" in pool ? pool.connect() : pool.reserve());
    const handle = transactionHandle(client);
    const transaction = handle.client;
    const stopListening = listenToErrors(client, (error) => {
      // The first says why; the next ones only that it is so.
      if (!this.#broken.has(transaction)) this.#broken.set(transaction, error);
    });
    let isBack = false;
    let isCommitting = false;
    let saysCommands = false;
    const giveBack = (isBroken: boolean): void => {
      if (isBack) return;
      isBack = true;
      client.release(isBroken || this.#broken.has(transaction));
      stopListening();
    };
    // A begin that is given up may never be answered: the pool makes another connection. What reserve() gave cannot be closed:
    // it is waited for, and the transaction rolled back.
    const onAbort = (): void => giveBack(true);
    if ("connect" in pool) signal.addEventListener("abort", onAbort, { once: true });
    try {
      if (signal.aborted) giveBack(false);
      signal.throwIfAborted();
      saysCommands = commandOf(await client.query("BEGIN", [])) === "BEGIN";
      // A statement that takes no snapshot: the user may still choose the isolation. It ends with the transaction.
      await client.query(`SET LOCAL idle_in_transaction_session_timeout = ${this.#idleMs}`, []);
      if (isBack) signal.throwIfAborted();
    } catch (error) {
      giveBack(true);
      throw this.reasonOf(transaction, error);
    } finally {
      signal.removeEventListener("abort", onAbort);
    }
    return {
      transaction,
      commit: async () => {
        handle.end();
        try {
          if (!saysCommands) await checkTransaction(client);
          isCommitting = true;
          const command = commandOf(await client.query("COMMIT", []));
          isCommitting = false;
          if (command === "ROLLBACK") throw new FailedTransactionError();
        } catch (error) {
          // Refused by the server, it is answered.
          if (isUsableAfter(error)) isCommitting = false;
          throw this.reasonOf(transaction, error);
        }
        giveBack(false);
      },
      rollback: async () => {
        handle.end();
        if (isBack) return;
        // Behind a commit without an answer nothing else is answered.
        giveBack(isCommitting || !(await isRolledBack(client)));
      },
    };
  }

  /** What has ended the connection of a transaction, where an error says only that it has ended. */
  reasonOf(transaction: PostgresClient, error: unknown): unknown {
    return this.#broken.get(transaction) ?? error;
  }
}

/** What the server says that a statement came to, if the client passes it on, as pg does. */
function commandOf(result: unknown): unknown {
  return (result as { readonly command?: unknown }).command;
}

/**
 * Rejects if a statement of the transaction has failed: COMMIT then rolls it back, and is no error. Of a client that does not
 * pass on what COMMIT came to it has to be asked before.
 */
async function checkTransaction(client: PostgresClient): Promise<void> {
  await client.query("SELECT", []);
}

/** Whether the server says that a transaction is over; otherwise its connection is not to be used again. */
async function isRolledBack(client: PostgresClient): Promise<boolean> {
  const late = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => late.resolve(false), ROLLBACK_MS);
  const done = client.query("ROLLBACK", []).then(
    () => true,
    () => false,
  );
  try {
    return await Promise.race([done, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends a transaction that is carried out by a function. */
class RolledBack extends Error {}

/** Of a client that has one connection, and gives it to one function after the other. */
async function beginInTurn(
  pool: Extract<PostgresPool, { transaction: unknown }>,
): Promise<OwnTransaction<PostgresClient>> {
  const begun = Promise.withResolvers<PostgresClient>();
  const ended = Promise.withResolvers<void>();
  const done = pool.transaction(async (transaction) => {
    begun.resolve(transaction);
    await ended.promise;
  });
  // Before it has begun, the begin fails with it; afterwards the commit does.
  done.catch((error: unknown) => begun.reject(error));
  const client = await begun.promise;
  const handle = transactionHandle(client);
  return {
    transaction: handle.client,
    async commit() {
      handle.end();
      await checkTransaction(client);
      ended.resolve();
      await done;
    },
    async rollback() {
      handle.end();
      ended.reject(new RolledBack("the transaction is rolled back"));
      await done.catch(() => undefined);
    },
  };
}
