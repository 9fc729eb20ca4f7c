import type { OffsetKey } from "@tidemark/core";
import {
  connectionFaults,
  type OpenedStore,
  openTcpProxy,
  type OpenStoreOptions,
  type StoreHarness,
} from "@tidemark/core/conformance";
import { Client } from "pg";
import { columnsOf, storedName } from "../src/entry-rows.ts";
import { openPostgresStore, type PostgresClient } from "../src/index.ts";

/** The kit's harness on a server. All cases share one table, like all consumers of one: namespaces keep them apart. */
export function postgresHarness(name: string, url: string): StoreHarness<PostgresClient> {
  const open = async ({ namespace, timeout, onEvent }: OpenStoreOptions): Promise<OpenedStore<PostgresClient>> => {
    const { hostname, port } = new URL(url);
    const proxy = await openTcpProxy({ host: hostname, port: Number(port) });
    const store = await openPostgresStore({ url: throughProxy(url, proxy.port), namespace, timeout, onEvent });
    const clients = new Set<Client>();
    const connect = async (): Promise<Client> => {
      const client = new Client({ connectionString: url });
      await client.connect();
      clients.add(client);
      return client;
    };
    const direct = await connect();
    const close = async (): Promise<void> => {
      await store.close();
      for (const client of clients) await client.end();
      clients.clear();
      await proxy.close();
    };
    return {
      ...connectionFaults(proxy),
      store,
      close,
      async reopen() {
        await close();
        return open({ namespace, ...(timeout !== undefined && { timeout }) });
      },
      peek: async (key) => (await direct.query(`SELECT ${FROM}`, rowOf(namespace, key))).rows.length > 0,
      corrupt: async (key) => {
        await direct.query(
          `UPDATE tidemark_offsets SET value = 'no record', version = 'by hand' ${WHERE}`,
          rowOf(namespace, key),
        );
      },
      makeUnreadable: async (key) => {
        const row = rowOf(namespace, key);
        const { rows } = await direct.query(`SELECT written_at::text AS stored ${FROM}`, row);
        const write = `UPDATE tidemark_offsets SET written_at = $6 ${WHERE}`;
        await direct.query(write, [...row, "infinity"]);
        return async () => void (await direct.query(write, [...row, (rows[0] as { stored: string }).stored]));
      },
      async beginTransaction() {
        const client = await connect();
        await client.query("BEGIN");
        return {
          transaction: client,
          commit: async () => void (await client.query("COMMIT")),
          rollback: async () => void (await client.query("ROLLBACK")),
        };
      },
    };
  };
  return { name, connection: "remote", open };
}

export const WHERE = "WHERE namespace = $1 AND consumer = $2 AND topic = $3 AND partition = $4 AND member = $5";
export const FROM = `FROM tidemark_offsets ${WHERE}`;

/** The parameters of {@link WHERE}. */
function rowOf(namespace: string, key: OffsetKey): unknown[] {
  return [storedName(namespace), ...Object.values(columnsOf(key))];
}

/** The URL of a server as it is reached through a proxy. */
export function throughProxy(url: string, port: number): string {
  const through = new URL(url);
  through.host = `127.0.0.1:${port}`;
  return through.href;
}
