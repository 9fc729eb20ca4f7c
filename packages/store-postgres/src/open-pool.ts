import type { PostgresClient } from "./postgres-client.ts";

/** The most connections of a store: as a rule one is enough, and what waits must not hold up the rest. */
const MAX_CONNECTIONS = 4;

/**
 * Opens a pool of pg. Nothing is connected yet.
 *
 * @throws TypeError if that is no connection string.
 */
export async function openPool(
  url: unknown,
  timeoutMs: number,
): Promise<{ readonly client: PostgresClient; readonly end: () => Promise<void> }> {
  if (typeof url !== "string" || !/^postgres(?:ql)?:\/\//u.test(url)) {
    throw new TypeError("url must be a connection string: postgres://USER@HOST/DATABASE");
  }
  // Whoever brings a client of another package does without this one.
  const { Client, Pool } = (await import("pg")).default;
  const config = {
    connectionString: url,
    max: MAX_CONNECTIONS,
    // No call waits for longer.
    connectionTimeoutMillis: timeoutMs,
    keepAlive: true,
    fallback_application_name: "tidemark",
  };
  try {
    // A pool would read the string at its first connection only.
    void new Client(config);
  } catch (error) {
    // Not pg's text and no cause: either may quote the connection string.
    const { code = "" } = error as { readonly code?: string };
    // oxlint-disable-next-line preserve-caught-error
    throw new TypeError(
      `url is no connection string that pg understands${code === "" ? "" : ` (${code})`}: write postgres://USER@HOST/DATABASE, and check its options`,
    );
  }
  const pool = new Pool(config);
  return { client: pool, end: () => pool.end() };
}
