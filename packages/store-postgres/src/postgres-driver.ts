import { randomUUID } from "node:crypto";
import type { StoreCapabilities } from "@tidemark/core";
import type {
  Change,
  DriverContext,
  DriverKey,
  ErrorClassification,
  ListFilter,
  ListPage,
  OffsetStoreDriver,
  OwnTransaction,
  ReadAnswer,
  ReadEntry,
  WriteAnswer,
  WriteContext,
} from "@tidemark/core/driver";
import {
  changeRow,
  type ChangeRow,
  columnsOf,
  ENTRY_COLUMNS,
  entryOf,
  inKeyOrder,
  KEY_TYPES,
  milliseconds,
  sameKey,
  storedName,
} from "./entry-rows.ts";
import { listEntries } from "./list-entries.ts";
import { Given, Parameters } from "./parameters.ts";
import type { Connections, PostgresClient, Row } from "./postgres-client.ts";
import { classifyPostgresError, gaveWay, sqlStateOf } from "./postgres-errors.ts";
import type { TransactionPool } from "./transaction-pool.ts";
import { writeStatement } from "./write-statement.ts";

/** How long a write waits for a row that another has locked, and how long the parts of a write that met one. */
const PATIENCE_MS = 100;
const PART_PATIENCE_MS = 10;
/** How often expired rows are removed, and how many at most. */
const RECLAIM_EVERY_MS = 60_000;
const RECLAIM_ROWS = 5_000;
/** A setting that ends with a transaction: by it a write sees that it is in the one that was read in. */
const MARK = "'tidemark.transaction'";
/** The server's code where the mark is not there: a division by zero. */
const NOT_MARKED = "22012";

/** What a driver is made from. */
export interface PostgresDriverOptions {
  readonly connections: Connections;
  /** The table as SQL names it. */
  readonly table: string;
  readonly namespace: string;
  readonly durability: StoreCapabilities["durability"];
  /** Where the store's own transactions come from; `undefined`: it has none. */
  readonly transactions: TransactionPool | undefined;
  /** Ends what the store opened itself. */
  readonly close: () => Promise<void>;
}

/** What became of changes that were sent. */
interface Sent {
  /** Those that did not find a version that they expect. */
  readonly missed: readonly ChangeRow[];
  /** Those whose row another has locked. */
  readonly locked: readonly ChangeRow[];
  /** The time of all others, if they have one. */
  readonly writtenAt?: number | undefined;
}

/** The driver over one table: a row for each entry, and each verb one statement. */
export class PostgresDriver implements OffsetStoreDriver<PostgresClient> {
  readonly name = "postgres";
  readonly capabilities: StoreCapabilities;
  readonly close: () => Promise<void>;
  readonly begin?: (context: Pick<DriverContext, "signal">) => Promise<OwnTransaction<PostgresClient>>;
  readonly #transactions: TransactionPool | undefined;
  readonly #connections: Connections;
  readonly #table: string;
  readonly #namespace: string;
  readonly #mark = randomUUID();
  readonly #marking = `set_config(${MARK}, '${this.#mark}', true)`;
  /** Those in which something was read: as a rule the same in which something is written. */
  readonly #marked = new WeakSet<PostgresClient>();
  #reclaimedAt = performance.now();

  constructor(options: PostgresDriverOptions) {
    this.#connections = options.connections;
    this.#table = options.table;
    this.#namespace = storedName(options.namespace);
    this.close = options.close;
    const { transactions } = options;
    this.#transactions = transactions;
    if (transactions !== undefined) this.begin = ({ signal }) => transactions.begin(signal);
    this.capabilities = Object.freeze({
      // A row that another has locked must not hold up the others: each change is for itself.
      atomicBatch: false,
      transactions: true,
      durability: options.durability,
      expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1 }),
      maxBatch: 10_000,
    });
  }

  async read(keys: readonly DriverKey[], context: DriverContext<PostgresClient>): Promise<ReadAnswer> {
    const { transaction } = context;
    const parameters = new Parameters();
    const namespace = parameters.add(this.#namespace, "text");
    const items = keys.map((key, at) => ({ ...columnsOf(key), at })).toSorted(inKeyOrder);
    const given = new Given(items, { ...KEY_TYPES, at: "integer" }, parameters);
    const columns = [`${given.column("at")} AS at`, ENTRY_COLUMNS, `${milliseconds(clockOf(context))} AS now`];
    const matches = `t.namespace = ${namespace} AND ${sameKey(given)}`;
    let found = `LEFT JOIN ${this.#table} AS t ON ${matches}`;
    if (transaction !== undefined) {
      columns.push(`(SELECT ${this.#marking})`);
      // What is decided by it holds until it is written: of several positions all are written, or none.
      found = `LEFT JOIN LATERAL (SELECT * FROM ${this.#table} AS t WHERE ${matches} FOR UPDATE) AS t ON true`;
    }
    const text = `SELECT ${columns.join(", ")} FROM ${given.table ?? "(SELECT) AS g"} ${found}`;
    const rows = await this.#run(context, text, parameters.values);
    if (transaction !== undefined) this.#marked.add(transaction);
    const entries: ReadEntry[] = keys.map(() => undefined);
    for (const row of rows) if (row["version"] !== null) entries[Number(row["at"])] = entryOf(row);
    // Where they differ, the latest: while a row waits for its lock, those before it grow older.
    return { now: rows.reduce((latest, { now }) => Math.max(latest, Math.floor(Number(now))), 0), entries };
  }

  async write(changes: readonly Change[], context: WriteContext<PostgresClient>): Promise<WriteAnswer> {
    if (context.transaction === undefined) await this.#reclaim(context);
    else if (!this.#marked.has(context.transaction)) await this.#run(context, `SELECT ${this.#marking}`, []);
    const rows = changes.map(changeRow).toSorted(inKeyOrder);
    const { missed, locked, writtenAt } = await this.#send(rows, context, PATIENCE_MS);
    if (missed.length + locked.length === 0) return { writtenAt, changes: undefined };
    const conflicts = [...locked, ...(await this.#conflictsAmong(missed, context))];
    const refused = new Set(conflicts.map(({ change }) => change));
    // What a second statement wrote has another time.
    const isOfOneTime = conflicts.length === missed.length + locked.length;
    return {
      ...(isOfOneTime && { writtenAt }),
      changes: changes.map((change) => (refused.has(change) ? "conflict" : "written")),
    };
  }

  list(filter: ListFilter, context: Pick<DriverContext, "signal">): AsyncGenerator<ListPage, void, undefined> {
    const run = (text: string, values: unknown[]) => this.#run(context, text, values);
    return listEntries(run, this.#table, this.#namespace, filter);
  }

  classify(error: unknown): ErrorClassification {
    return classifyPostgresError(error, this.#table);
  }

  /** A row that stays locked is a conflict: core reads, waits and writes again, until the call's time is up. */
  async #send(rows: readonly ChangeRow[], context: WriteContext<PostgresClient>, patienceMs: number): Promise<Sent> {
    try {
      return await this.#sendAtOnce(rows, context, patienceMs);
    } catch (error) {
      if (context.transaction !== undefined || !gaveWay(error)) throw error;
      if (rows.length === 1) return { missed: [], locked: rows };
    }
    // Nothing was written. Which row it is comes out in halves, and all others are through.
    const middle = rows.length >> 1;
    const one = await this.#send(rows.slice(0, middle), context, PART_PATIENCE_MS);
    const other = await this.#send(rows.slice(middle), context, PART_PATIENCE_MS);
    return { missed: [...one.missed, ...other.missed], locked: [...one.locked, ...other.locked] };
  }

  async #sendAtOnce(
    rows: readonly ChangeRow[],
    context: WriteContext<PostgresClient>,
    patienceMs: number,
  ): Promise<Sent> {
    const { text, values, identity } = writeStatement(rows, {
      table: this.#table,
      namespace: this.#namespace,
      isTimed: context.timed === true,
      gate:
        context.transaction === undefined
          ? // A statement that waits continues waiting when its client has given up, and keeps the server's connection.
            `set_config('lock_timeout', '${patienceMs}', true) IS NOT NULL`
          : `1 / (coalesce(current_setting(${MARK}, true), '') = '${this.#mark}')::integer = 1`,
    });
    const done = await this.#run(context, text, values);
    const time = done.find(({ written }) => written !== null)?.["written"];
    const writtenAt = time === undefined ? undefined : Math.round(Number(time));
    if (done.length === rows.length) return { missed: [], locked: [], writtenAt };
    const idOf = (row: Row | ChangeRow): string => identity.map((name) => String(row[name])).join("\0");
    const ids = new Set(done.map(idOf));
    return { missed: rows.filter((row) => !ids.has(idOf(row))), locked: [], writtenAt };
  }

  /** Of changes that found no version that they expect, those that do not accept that there is nothing either. */
  async #conflictsAmong(
    missed: readonly ChangeRow[],
    context: WriteContext<PostgresClient>,
  ): Promise<readonly ChangeRow[]> {
    const accepting = missed.filter(({ change: { expected } }) => expected === "any" || expected.includes(null));
    const conflicts = missed.filter((row) => row.kind === "create" || !accepting.includes(row));
    const removals = accepting.filter(({ kind, expected }) => kind === "delete" && expected !== null);
    if (removals.length > 0) {
      const { entries } = await this.read(
        removals.map(({ change }) => change.key),
        context,
      );
      conflicts.push(...removals.filter((_, at) => entries[at] !== undefined));
    }
    const creations = accepting.flatMap((row) => (row.kind === "update" ? [{ ...row, kind: "create" as const }] : []));
    if (creations.length > 0) {
      const sent = await this.#send(creations, context, PATIENCE_MS);
      conflicts.push(...sent.missed, ...sent.locked);
    }
    return conflicts;
  }

  async #reclaim(context: DriverContext<PostgresClient>): Promise<void> {
    const at = performance.now();
    if (at - this.#reclaimedAt < RECLAIM_EVERY_MS) return;
    this.#reclaimedAt = at;
    const expired = `SELECT ctid FROM ${this.#table} WHERE namespace = $1::text AND reclaim_at <= now()
      LIMIT ${RECLAIM_ROWS} FOR UPDATE SKIP LOCKED`;
    const text = `DELETE FROM ${this.#table} WHERE ctid = ANY(ARRAY(${expired}))`;
    // What cannot be removed now can be later, and the write that follows says what is wrong.
    await this.#run(context, text, [this.#namespace]).catch(() => undefined);
  }

  async #run(context: DriverContext<PostgresClient>, text: string, values: unknown[]): Promise<readonly Row[]> {
    const { transaction } = context;
    if (transaction === undefined) return this.#connections.run(text, values, context.signal);
    if (typeof transaction.query !== "function") {
      throw new TypeError("transaction must have query(text, values), which returns { rows }");
    }
    try {
      const { rows } = await transaction.query(text, values);
      return rows as readonly Row[];
    } catch (error) {
      if (sqlStateOf(error) !== NOT_MARKED) throw this.#transactions?.reasonOf(transaction, error) ?? error;
      throw new TypeError(
        "transaction has no transaction open, or does not use one connection: give the client on which you sent BEGIN",
        { cause: error },
      );
    }
  }
}

/**
 * The server's clock before anything is read: the beginning of the transaction that a statement is by itself. In a caller's
 * transaction, which may have begun long ago, it is read for each row when that is locked, and then cannot change any more.
 */
function clockOf({ transaction }: DriverContext<PostgresClient>): string {
  return transaction === undefined ? "now()" : "clock_timestamp()";
}
