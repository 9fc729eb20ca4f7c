import { PGlite } from "@electric-sql/pglite";
import type { OpenedStore, OpenStoreOptions, StoreHarness } from "@tidemark/core/conformance";
import { columnsOf, storedName } from "../src/entry-rows.ts";
import { openPostgresStore, type PostgresClient } from "../src/index.ts";
import { FROM, WHERE } from "./postgres-harness.ts";

/** The kit's harness on PGlite: PostgreSQL in this process, with one session for all. */
export function pgliteHarness(name: string): StoreHarness<PostgresClient> {
  let shared: Promise<PGlite> | undefined;
  let isInTransaction = false;
  const open = async ({ namespace, timeout, onEvent }: OpenStoreOptions): Promise<OpenedStore<PostgresClient>> => {
    // Whoever comes now would wait until the transaction is over, and that may wait for this.
    if (isInTransaction) throw new Error("PGlite's one session is in a transaction");
    const database = await (shared ??= PGlite.create());
    const store = await openPostgresStore({ client: database, namespace, timeout, onEvent });
    const rowOf = (key: Parameters<typeof columnsOf>[0]) => [storedName(namespace), ...Object.values(columnsOf(key))];
    return {
      store,
      close: () => store.close(),
      async reopen() {
        await store.close();
        return open({ namespace, ...(timeout !== undefined && { timeout }) });
      },
      peek: async (key) => (await database.query(`SELECT ${FROM}`, rowOf(key))).rows.length > 0,
      corrupt: async (key) => {
        await database.query(
          `UPDATE tidemark_offsets SET value = 'no record', version = 'by hand' ${WHERE}`,
          rowOf(key),
        );
      },
      makeUnreadable: async (key) => {
        const row = rowOf(key);
        const { rows } = await database.query(`SELECT written_at::text AS stored ${FROM}`, row);
        const write = `UPDATE tidemark_offsets SET written_at = $6 ${WHERE}`;
        await database.query(write, [...row, "infinity"]);
        return async () => void (await database.query(write, [...row, (rows[0] as { stored: string }).stored]));
      },
      async beginTransaction() {
        const begun = Promise.withResolvers<PostgresClient>();
        const ended = Promise.withResolvers<boolean>();
        const done = database.transaction(async (transaction) => {
          isInTransaction = true;
          begun.resolve(transaction);
          const isCommitted = await ended.promise;
          isInTransaction = false;
          if (!isCommitted) await transaction.rollback();
        });
        const end = async (isCommitted: boolean): Promise<void> => {
          ended.resolve(isCommitted);
          await done;
        };
        return { transaction: await begun.promise, commit: () => end(true), rollback: () => end(false) };
      },
    };
  };
  return { name, connection: "embedded", open };
}
