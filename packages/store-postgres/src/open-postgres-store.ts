import { type OffsetStore, OffsetStoreError } from "@tidemark/core";
import {
  createOffsetStore,
  type ErrorClassification,
  type OffsetStoreOptions,
  resolveStoreOptions,
  validateOptionNames,
} from "@tidemark/core/driver";
import { OffsetsTable } from "./offsets-table.ts";
import { openPools, type OwnPools } from "./open-pool.ts";
import { Connections, type PostgresClient } from "./postgres-client.ts";
import { PostgresDriver } from "./postgres-driver.ts";
import { classifyPostgresError } from "./postgres-errors.ts";
import { type PostgresPool, TransactionPool } from "./transaction-pool.ts";

const DEFAULT_IDLE_TIMEOUT_MS = 10_000;
/** The most that PostgreSQL takes. */
const MAX_IDLE_TIMEOUT_MS = 2_147_483_647;

/** What every way of opening a PostgreSQL store takes. */
export interface PostgresStoreSettings extends OffsetStoreOptions {
  /** The schema of the table; it must exist. Default `public`. */
  readonly schema?: string | undefined;
  /** The table; it is created if it is missing. Default `tidemark_offsets`. */
  readonly table?: string | undefined;
  /**
   * Milliseconds after which the server ends a transaction of `transact` in which no statement runs, so that a frozen process
   * does not lock its rows for longer. Default 10,000.
   */
  readonly transactionIdleTimeout?: number | undefined;
}

/** Opens the store on a client of the caller's, which stays as it is and is never closed. */
export interface PostgresStoreClientOptions extends PostgresStoreSettings {
  /**
   * A `Pool` of pg, a PGlite, or anything with `query(text, values)`. Only the store may use it: your transactions need
   * other connections. A `Client` of pg does not reconnect when its connection breaks; a pool does.
   */
  readonly client: PostgresClient;
  /**
   * Where `transact` takes connections from, one for each transaction: another `Pool` of pg, anything with `reserve()`, or the
   * same PGlite. Only with `client`: without it, `transact` is `UNSUPPORTED` there. With `url` the store has a pool of its own.
   */
  readonly pool?: PostgresPool | undefined;
  readonly url?: undefined;
}

/** Opens the store on pools of its own, which it closes: one for its work, one for its transactions. Needs the pg package. */
export interface PostgresStoreUrlOptions extends PostgresStoreSettings {
  /** Instead of a client: a connection string, `postgres://` or `postgresql://`. The store opens and closes its pools. */
  readonly url: string;
  readonly client?: undefined;
  readonly pool?: undefined;
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
  validateOptionNames(options, ["client", "pool", "url", "schema", "table", "transactionIdleTimeout"]);
  const { namespace, timeout } = resolveStoreOptions(options);
  const table = tableOf(options);
  const idleMs = resolveIdleTimeout(options.transactionIdleTimeout);
  const { client, pool, end } = await resolveClient(options, timeout);
  const connections = new Connections(client);
  const transactions = pool && new TransactionPool(pool, idleMs);
  const leave = async (): Promise<void> => {
    connections.leave();
    transactions?.leave();
  };
  // Errors of the store's own pools while they end are ignored.
  const close = end ?? leave;
  try {
    const { isSynced } = await whileOpening(timeout, table, (signal) =>
      table.prepare((text, values) => connections.run(text, values, signal)),
    );
    const durability = isSynced ? "synced" : "process";
    const driver = new PostgresDriver({ connections, table: table.name, namespace, durability, transactions, close });
    return createOffsetStore(driver, options);
  } catch (error) {
    // What went wrong first matters more than a failure to close.
    await close().catch(() => undefined);
    throw error;
  }
}

/** Whether the table of a store is there already. Rejects as {@link openPostgresStore}. */
export async function postgresStoreExists(options: PostgresStoreUrlOptions): Promise<boolean> {
  const { timeout } = resolveStoreOptions(options);
  const table = tableOf(options);
  const { client, end } = await openPools(options.url, timeout);
  const connections = new Connections(client);
  try {
    return await whileOpening(timeout, table, (signal) =>
      table.exists((text, values) => connections.run(text, values, signal)),
    );
  } finally {
    await end().catch(() => undefined);
  }
}

function tableOf({ schema = "public", table = "tidemark_offsets" }: PostgresStoreSettings): OffsetsTable {
  return new OffsetsTable(schema, table);
}

async function resolveClient(
  { client, pool, url }: PostgresStoreOptions,
  timeoutMs: number,
): Promise<Pick<OwnPools, "client"> & Partial<OwnPools>> {
  if ((client === undefined) === (url === undefined)) {
    throw new TypeError("give either client (an object with query(text, values)) or url (a connection string)");
  }
  if (client === undefined) {
    if (pool !== undefined) throw new TypeError("pool needs client: with url the store has a pool of its own");
    return openPools(url, timeoutMs);
  }
  if (typeof client !== "object" || client === null || typeof client.query !== "function") {
    throw new TypeError("client must have query(text, values), which returns { rows }: a Pool of pg, or a PGlite");
  }
  if (pool === undefined) return { client };
  validatePool(pool, client);
  return { client, pool };
}

function validatePool(pool: PostgresPool, client: PostgresClient): void {
  const given = (typeof pool === "object" && pool !== null ? pool : {}) as Readonly<Record<string, unknown>>;
  if (!["connect", "reserve", "transaction"].some((name) => typeof given[name] === "function")) {
    throw new TypeError(
      "pool must have connect() or reserve(), which returns a client for one transaction: a Pool of pg",
    );
  }
  if ((pool as unknown) === client && !("transaction" in pool)) {
    throw new TypeError(
      "pool must not be the same Pool as client: transactions could take all connections that the store needs",
    );
  }
}

function resolveIdleTimeout(given: unknown): number {
  if (given === undefined) return DEFAULT_IDLE_TIMEOUT_MS;
  if (typeof given !== "number") throw new TypeError("transactionIdleTimeout must be a number of milliseconds");
  if (Number.isInteger(given) && given >= 1 && given <= MAX_IDLE_TIMEOUT_MS) return given;
  throw new RangeError(`transactionIdleTimeout must be a whole number from 1 to ${MAX_IDLE_TIMEOUT_MS}, not ${given}`);
}

/** Bounds the opening in time, and gives its errors their form. */
async function whileOpening<Result>(
  timeoutMs: number,
  table: OffsetsTable,
  work: (signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const abort = new AbortController();
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    const message = `no answer within ${timeoutMs} ms; check the address, the network, and locks on the table`;
    const error = openError({ code: "TIMEOUT", retryable: true, message });
    late.reject(error);
    abort.abort(error);
  }, timeoutMs);
  try {
    return await Promise.race([work(abort.signal), late.promise]);
  } catch (error) {
    if (error instanceof OffsetStoreError) throw error;
    throw openError(classifyPostgresError(error, table.name), error);
  } finally {
    clearTimeout(timer);
  }
}

function openError({ code, retryable, message }: ErrorClassification, cause?: unknown): OffsetStoreError {
  const text = `postgres store: open failed: ${message}`;
  return new OffsetStoreError(text, { code, retryable, operation: "open", store: "postgres", cause });
}
