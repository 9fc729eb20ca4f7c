import { PGlite } from "@electric-sql/pglite";
import { describeWithServer } from "@tidemark/test-support/servers";
import { describe, expect, it } from "vitest";
import type { PostgresClient, PostgresPool, ReservedClient } from "../src/index.ts";
import { key, newName, openPool, openStore, positionsOf } from "./open-store.ts";
import { openTransacting, transacting, transactionOf } from "./open-transacting-store.ts";

const NOT_AWAITED = /a statement of the transaction failed before .* await every statement/u;

/** A client that calls `whilePosition` when the position is on its way to the server. */
function watched(client: PostgresClient, whilePosition: () => void): PostgresClient {
  return {
    query(text, values) {
      const answer = client.query(text, values);
      if (text.startsWith("UPDATE")) whilePosition();
      return answer;
    },
  };
}

await describeWithServer("postgres", ({ url }) => {
  describe("a statement that the body does not wait for, and that fails after the position is written", () => {
    it.each(["connect", "reserve"])("takes the results and the position along: a pool with %s()", async (name) => {
      const own = openPool(url, { max: 1 });
      let straggle = (): void => undefined;
      const lend = async (): Promise<ReservedClient> => {
        const client = await own.connect();
        const { query } = watched(client, () => straggle());
        const release = (isBroken?: boolean): void => client.release(isBroken);
        if (name === "connect") return { query, release };
        // As of a client that says nothing of what a command came to.
        return { query: async (text, values) => ({ rows: (await query(text, values)).rows }), release };
      };
      const pool = { [name]: lend } as unknown as PostgresPool;
      const { store, insert, countResults } = await openTransacting(url, {
        url: undefined,
        client: openPool(url),
        pool,
      });
      const failures: unknown[] = [];
      const failing = store.transact(transactionOf(0n), async (transaction) => {
        await insert(transaction);
        straggle = () => {
          straggle = () => undefined;
          transaction.query("SELECT 1 / 0", []).catch((error: unknown) => failures.push(error));
        };
      });
      await expect(failing).rejects.toThrow(NOT_AWAITED);
      await expect(failing).rejects.toMatchObject({ code: "UNKNOWN", retryable: false, operation: "transact" });
      expect(failures).toMatchObject([{ code: "22012" }]);
      expect(await countResults()).toBe(0);
      expect(await positionsOf(store, [key])).toEqual([undefined]);
      // The connection has ended the transaction, and is used again.
      expect([own.totalCount, own.idleCount]).toEqual([1, 1]);
      await store.transact(transactionOf(0n), insert);
      expect(await countResults()).toBe(1);
      expect(await positionsOf(store, [key])).toEqual([1n]);
    });
  });
});

it("takes the position along in a PGlite, where a statement fails after it", async () => {
  await using database = await PGlite.create();
  let straggle = (): void => undefined;
  const pool: PostgresPool = {
    transaction: (run) => database.transaction((transaction) => run(watched(transaction, () => straggle()))),
  };
  const { store: opened } = await openStore({ client: database, pool, namespace: newName() });
  const store = transacting(opened);
  await store.claim([{ key, token: "t", owner: "o" }]);
  const failing = store.transact(transactionOf(0n), (transaction) => {
    straggle = () => {
      straggle = () => undefined;
      transaction.query("SELECT 1 / 0", []).catch(() => undefined);
    };
  });
  await expect(failing).rejects.toThrow(NOT_AWAITED);
  expect(await positionsOf(store, [key])).toEqual([undefined]);
});
