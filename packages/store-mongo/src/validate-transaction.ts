import type { ClientSession, MongoClient } from "mongodb";

/**
 * Checks a caller's session before anything is written in it.
 *
 * @throws `TypeError` if it is no session, has ended, has no transaction open, or belongs to another client than the store.
 */
export function validateTransaction(session: ClientSession, client: MongoClient): void {
  if (typeof session !== "object" || session === null || typeof session.inTransaction !== "function") {
    throw new TypeError("transaction must be a ClientSession of the mongodb package, with a transaction started on it");
  }
  if (session.hasEnded) throw new TypeError("transaction is a session that has ended; start a new one");
  if (!session.inTransaction()) {
    throw new TypeError("transaction has no transaction open: call startTransaction, or commit inside withTransaction");
  }
  // The driver keeps it out of its types, and refuses such a session itself, but only after it has begun to work.
  const { client: owner } = session as { readonly client?: unknown };
  if (owner !== undefined && owner !== client) {
    throw new TypeError(
      "transaction belongs to another MongoClient than the store: open the store with the client that starts the session",
    );
  }
}
