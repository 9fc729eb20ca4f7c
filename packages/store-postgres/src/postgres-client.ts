import { sqlStateOf } from "./postgres-errors.ts";

/**
 * What the store needs of a client of PostgreSQL: to run one statement with its parameters, and give its rows. A `Pool` or
 * `Client` of pg is one, and so is a PGlite.
 */
export interface PostgresClient {
  query(text: string, values: unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** One row, by the names of its columns. Numbers may be texts: how a client parses them is its user's choice. */
export type Row = Readonly<Record<string, unknown>>;

/** A client that a pool has lent. */
interface LentClient extends PostgresClient {
  release(destroy?: boolean): void;
}

/** A pool as pg has it. */
interface ClientPool extends PostgresClient {
  readonly totalCount: number;
  connect(): Promise<LentClient>;
}

/** Carries statements to the store's client: over a connection of their own where it is a pool. */
export class Connections {
  readonly #client: PostgresClient;
  readonly #stopListening: () => void;

  constructor(client: PostgresClient) {
    this.#client = client;
    this.#stopListening = listenToErrors(client);
  }

  async run(text: string, values: unknown[], signal: AbortSignal): Promise<readonly Row[]> {
    signal.throwIfAborted();
    const client = this.#client;
    const { rows } = isPool(client)
      ? await runOnLentClient(client, text, values, signal)
      : await client.query(text, values);
    return rows as readonly Row[];
  }

  /** Leaves a caller's client as it was. */
  leave(): void {
    this.#stopListening();
  }
}

async function runOnLentClient(
  pool: ClientPool,
  text: string,
  values: unknown[],
  signal: AbortSignal,
): Promise<{ readonly rows: readonly unknown[] }> {
  const client = await pool.connect();
  // A pool listens to those that are idle.
  const stopListening = listenToErrors(client);
  let isBack = false;
  const giveBack = (isUnusable: boolean): void => {
    if (isBack) return;
    isBack = true;
    client.release(isUnusable);
    stopListening();
  };
  // A call that is given up may never be answered: the pool makes another connection.
  const onAbort = (): void => giveBack(true);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    // Before anything is sent nothing has to be answered.
    if (signal.aborted) giveBack(false);
    signal.throwIfAborted();
    const result = await client.query(text, values);
    giveBack(false);
    return result;
  } catch (error) {
    giveBack(!isUsableAfter(error));
    throw error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}

/**
 * States in which a connection is broken or about to be, or leads to a server that only reads. By the state: the severity
 * is in the server's language.
 */
const UNUSABLE_STATES = /^(?:08|25006|25P0[34]|28|53|57P|58|XX)/u;

/** Whether a connection can continue after an error. */
export function isUsableAfter(error: unknown): boolean {
  const state = sqlStateOf(error);
  return state !== undefined && !UNUSABLE_STATES.test(state);
}

function isPool(client: PostgresClient): client is ClientPool {
  return "connect" in client && "totalCount" in client;
}

/** How many stores and calls listen to a client: they share one listener. */
const listening = new WeakMap<object, number>();

/**
 * Without a listener a connection that breaks ends the process. The call that needs it rejects; `hear` is called at once.
 */
export function listenToErrors(client: object, hear?: (error: unknown) => void): () => void {
  if (!("on" in client && "off" in client && typeof client.on === "function" && typeof client.off === "function")) {
    return ignore;
  }
  const { on, off } = client;
  const change = (by: 1 | -1): number => {
    const count = (listening.get(client) ?? 0) + by;
    listening.set(client, count);
    return count;
  };
  if (hear !== undefined) {
    on.call(client, "error", hear);
    return () => void off.call(client, "error", hear);
  }
  if (change(1) === 1) on.call(client, "error", ignore);
  return () => {
    if (change(-1) === 0) off.call(client, "error", ignore);
  };
}

function ignore(): void {}
