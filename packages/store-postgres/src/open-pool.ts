import type { Pool } from "pg";
import type { PostgresClient } from "./postgres-client.ts";
import type { PostgresPool } from "./transaction-pool.ts";

/** The most connections for a store's own work: as a rule one is enough, and what waits must not hold up the rest. */
const MAX_CONNECTIONS = 4;
/** The most for its transactions, each of which needs one from its beginning to its end: as many as handlers run at once. */
const MAX_TRANSACTIONS = 10;

/** The pools of a store that has no client of its user's. */
export interface OwnPools {
  readonly client: PostgresClient;
  readonly pool: PostgresPool;
  readonly end: () => Promise<void>;
}

/**
 * Opens two pools of pg: any number of transactions leaves the store's own work its connections. Nothing is
 * connected yet.
 *
 * @throws TypeError if that is no connection string.
 */
export async function openPools(url: unknown, timeoutMs: number): Promise<OwnPools> {
  if (typeof url !== "string" || !/^postgres(?:ql)?:\/\//u.test(url)) {
    throw new TypeError("url must be a connection string: postgres://USER@HOST/DATABASE");
  }
  // Not needed by callers that bring a client of another package.
  const pg = (await import("pg")).default;
  const config = {
    connectionString: url,
    // No call waits for longer.
    connectionTimeoutMillis: timeoutMs,
    keepAlive: true,
    fallback_application_name: "tidemark",
  };
  try {
    // A pool would read the string at its first connection only.
    void new pg.Client(config);
  } catch (error) {
    // Not pg's text and no cause: either may quote the connection string.
    const { code = "" } = error as { readonly code?: string };
    // oxlint-disable-next-line preserve-caught-error
    throw new TypeError(
      `pg cannot parse url${code === "" ? "" : ` (${code})`}: write postgres://USER@HOST/DATABASE, and check its options`,
    );
  }
  const [client, pool] = [MAX_CONNECTIONS, MAX_TRANSACTIONS].map((max) => new pg.Pool({ ...config, max })) as [
    Pool,
    Pool,
  ];
  return {
    client,
    pool,
    end: async () => {
      await Promise.all([client.end(), pool.end()]);
    },
  };
}
