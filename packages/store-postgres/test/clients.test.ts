import { testOffsetStoreDriver, type OpenedStore, type OpenStoreOptions } from "@tidemark/core/conformance";
import { describeWithServer } from "@tidemark/test-support/servers";
import { Pool } from "pg";
import postgres from "postgres";
import { afterAll, describe, it } from "vitest";
import { openPostgresStore, type PostgresClient } from "../src/index.ts";
import { postgresHarness } from "./postgres-harness.ts";

await describeWithServer("postgres", ({ url, version }) => {
  /** The driver suite on a client of the test's own; what faults of the network come to is another client's matter. */
  function testClient(name: string, client: PostgresClient, end: () => Promise<void>): void {
    afterAll(end);
    const server = postgresHarness(name, url);
    const open = async (options: OpenStoreOptions): Promise<OpenedStore<PostgresClient>> => {
      const { interrupt: _, silence: __, loseAnswers: ___, ...opened } = await server.open(options);
      const store = await openPostgresStore({ client, ...options });
      const close = async (): Promise<void> => {
        await store.close();
        await opened.close();
      };
      return { ...opened, store, close };
    };
    testOffsetStoreDriver({ describe, it: it.concurrent }, { name, connection: "embedded", open });
  }

  const sql = postgres(url);
  testClient(
    `postgres store by postgres.js on ${version}`,
    { query: async (text, values) => ({ rows: await sql.unsafe(text, values as never[]) }) },
    () => sql.end(),
  );

  // A user may have every type parsed in another way: numbers as bigint, times as texts, all as it comes.
  const asText = new Pool({ connectionString: url, types: { getTypeParser: () => (text: unknown) => text } });
  testClient(`postgres store by pg that parses nothing on ${version}`, asText, () => asText.end());
});
