import { type OffsetStore, OffsetStoreError } from "@tidemark/core";
import {
  createOffsetStore,
  type ErrorClassification,
  type OffsetStoreOptions,
  resolveStoreOptions,
  validateOptionNames,
} from "@tidemark/core/driver";
import { OffsetsTable } from "./offsets-table.ts";
import { openPool } from "./open-pool.ts";
import { Connections, type PostgresClient } from "./postgres-client.ts";
import { PostgresDriver } from "./postgres-driver.ts";
import { classifyPostgresError } from "./postgres-errors.ts";

/** What every way of opening a PostgreSQL store takes. */
export interface PostgresStoreSettings extends OffsetStoreOptions {
  /** The schema that the table is in; it must be there. Default `public`. */
  readonly schema?: string | undefined;
  /** The table; it is made if it is not there. Default `tidemark_offsets`. */
  readonly table?: string | undefined;
}

/** Opens the store on a client of the caller's, which stays as it is and is never closed. */
export interface PostgresStoreClientOptions extends PostgresStoreSettings {
  /**
   * A `Pool` of pg, a PGlite, or whatever has `query(text, values)`. It is the store's alone: transactions of the caller's
   * use others. A `Client` of pg does not come back once its connection has broken; a pool does.
   */
  readonly client: PostgresClient;
  readonly url?: undefined;
}

/** Opens the store on a pool of its own, which it closes. Needs the pg package. */
export interface PostgresStoreUrlOptions extends PostgresStoreSettings {
  /** A connection string, `postgres://` or `postgresql://`. */
  readonly url: string;
  readonly client?: undefined;
}

/** What a PostgreSQL store is opened with: the caller's `client`, or a `url`. */
export type PostgresStoreOptions = PostgresStoreClientOptions | PostgresStoreUrlOptions;

/**
 * Opens a store in a table of PostgreSQL. Any number of stores in any number of processes may have the same one open.
 *
 * Rejects with `TypeError` or `RangeError` if an option makes no sense, and otherwise with an `OffsetStoreError`:
 * `UNAVAILABLE` or `TIMEOUT` (no server answers, or there is no such database or schema), `PERMISSION_DENIED`, or
 * `UNSUPPORTED` (the table is another one, or the database is not in UTF-8).
 */
export async function openPostgresStore(options: PostgresStoreOptions): Promise<OffsetStore<PostgresClient>> {
  validateOptionNames(options, ["client", "url", "schema", "table"]);
  const { namespace, timeout } = resolveStoreOptions(options);
  const table = new OffsetsTable(options.schema ?? "public", options.table ?? "tidemark_offsets");
  const { client, end } = await resolveClient(options, timeout);
  const connections = new Connections(client);
  // What the store's own pool still hears while it ends is nobody's concern.
  const close = end ?? (async () => connections.leave());
  try {
    const { isSynced } = await withinTimeout(timeout, (signal) =>
      table.prepare((text, values) => connections.run(text, values, signal)),
    );
    const durability = isSynced ? "synced" : "process";
    const driver = new PostgresDriver({ connections, table: table.name, namespace, durability, close });
    return createOffsetStore(driver, options);
  } catch (error) {
    // What went wrong first matters more than a failure to close.
    await close().catch(() => undefined);
    if (error instanceof OffsetStoreError) throw error;
    throw openError(classifyPostgresError(error, table.name), error);
  }
}

async function resolveClient(
  { client, url }: PostgresStoreOptions,
  timeoutMs: number,
): Promise<{ readonly client: PostgresClient; readonly end?: () => Promise<void> }> {
  if ((client === undefined) === (url === undefined)) {
    throw new TypeError("give either client, something of yours with query(text, values), or url, a connection string");
  }
  if (client === undefined) return openPool(url, timeoutMs);
  if (typeof client === "object" && client !== null && typeof client.query === "function") return { client };
  throw new TypeError("client must have query(text, values), which gives { rows }: a Pool of pg, or a PGlite");
}

/** Bounds the opening in time. */
async function withinTimeout<Result>(
  timeoutMs: number,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const message = `no answer within ${timeoutMs} ms; check the address, the network, and who has locked the table`;
    const error = openError({ code: "TIMEOUT", retryable: true, message });
    late.reject(error);
    abort.abort(error);
  }, timeoutMs);
  try {
    return await Promise.race([work(abort.signal), late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

function openError({ code, retryable, message }: ErrorClassification, cause?: unknown): OffsetStoreError {
  const text = `postgres store: open failed: ${message}`;
  return new OffsetStoreError(text, { code, retryable, operation: "open", store: "postgres", cause });
}
