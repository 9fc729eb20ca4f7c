import { setTimeout as pause } from "node:timers/promises";
import type { OwnTransaction } from "@tidemark/core/driver";
import { type ClientSession, type MongoClient, MongoError, type TransactionOptions } from "mongodb";

/** Milliseconds before a commit without an answer is sent again. */
const COMMIT_AGAIN_MS = 50;

/** Begins a transaction on a session of its own. */
export function beginOwnTransaction(client: MongoClient, options: TransactionOptions): OwnTransaction<ClientSession> {
  const session = client.startSession();
  session.startTransaction(options);
  let isOver = false;
  return {
    transaction: session,
    async commit() {
      for (;;) {
        try {
          await session.commitTransaction();
          break;
        } catch (error) {
          // The server answers a commit that it has carried out before as it did then.
          const isUnknown = error instanceof MongoError && error.hasErrorLabel("UnknownTransactionCommitResult");
          if (!isUnknown || isOver) throw error;
          await pause(COMMIT_AGAIN_MS);
        }
      }
      await session.endSession();
    },
    async rollback() {
      isOver = true;
      // Aborts what is open.
      await session.endSession();
    },
  };
}
