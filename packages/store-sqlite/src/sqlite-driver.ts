import type { StoreCapabilities } from "@tidemark/core";
import {
  type Change,
  type DriverContext,
  type DriverKey,
  type ErrorClassification,
  KeyMap,
  type ListFilter,
  type ListPage,
  type OffsetStoreDriver,
  type ReadAnswer,
  type WriteAnswer,
  type WriteContext,
} from "@tidemark/core/driver";
import { type Connection, IN_MEMORY } from "./connection.ts";
import { EntryListing } from "./entry-listing.ts";
import { EntryRows } from "./entry-rows.ts";
import { ExpiredRows } from "./expired-rows.ts";
import { KnownRows } from "./known-rows.ts";
import { OwnTransactions } from "./own-transactions.ts";
import { classifySqliteError } from "./sqlite-errors.ts";
import { POSITIONS } from "./schema.ts";
import { type SqliteTransaction, TransactionHandles } from "./sqlite-transaction.ts";
import { Statements } from "./statements.ts";

/** The rows of so many positions are known at most. */
const MAX_IDS = 100_000;

const WRITTEN: WriteAnswer = Object.freeze({ changes: undefined });

/** What a driver is made from. */
export interface SqliteDriverOptions {
  readonly connection: Connection;
  /** The file as messages name it. */
  readonly file: string;
  readonly namespace: string;
  readonly durability: StoreCapabilities["durability"];
}

/** The driver over one connection. A write is one transaction: SQLite lets only one handle at a time begin (contract 3.1). */
export class SqliteDriver implements OffsetStoreDriver<SqliteTransaction> {
  readonly name = "sqlite";
  readonly capabilities: StoreCapabilities;
  readonly #connection: Connection;
  readonly #file: string;
  readonly #namespace: string;
  readonly #statements: Statements;
  readonly #rows: EntryRows;
  readonly #known: KnownRows;
  readonly #expired: ExpiredRows;
  readonly #transactions: TransactionHandles;
  readonly #own: OwnTransactions;
  readonly begin?: NonNullable<OffsetStoreDriver<SqliteTransaction>["begin"]>;

  constructor({ connection, file, namespace, durability }: SqliteDriverOptions) {
    this.#connection = connection;
    this.#file = file;
    this.#namespace = namespace;
    this.#statements = new Statements(connection.database);
    const ids = new KeyMap<number>(MAX_IDS);
    this.#rows = new EntryRows(this.#statements, namespace, ids);
    this.#known = new KnownRows(this.#statements, ids);
    this.#expired = new ExpiredRows(this.#statements);
    this.#transactions = new TransactionHandles(connection, namespace);
    this.#own = new OwnTransactions(connection);
    // A database in memory has no second handle.
    if (file !== IN_MEMORY) this.begin = (context) => this.#own.begin(context);
    this.capabilities = Object.freeze({
      atomicBatch: true,
      transactions: true,
      durability,
      expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1 }),
      maxBatch: 10_000,
    });
  }

  async read(keys: readonly DriverKey[], context: DriverContext<SqliteTransaction>): Promise<ReadAnswer> {
    const { transaction } = context;
    if (transaction !== undefined) {
      const { statements, rows } = this.#transactions.rowsOn(transaction);
      // Takes the lock, and changes nothing. A deferred transaction may have begun before others wrote, and the clock runs
      // on: what it shows as expired may be renewed. Then SQLite fails here, and the caller begins again.
      statements.of(`UPDATE main.${POSITIONS.name} SET version = version WHERE false`).run();
      return { now: statements.now(), entries: keys.map((key) => rows.read(key)) };
    }
    return this.#connection.read(context, () =>
      this.#connection.atomically("read", () => ({
        now: this.#statements.now(),
        entries: keys.map((key) => this.#rows.read(key)),
      })),
    );
  }

  // No async frame: this is the way of every commit.
  write(changes: readonly Change[], context: WriteContext<SqliteTransaction>): Promise<WriteAnswer> {
    const { transaction, timed } = context;
    if (transaction !== undefined) return this.#writeWithin(transaction, changes);
    return this.#connection.write(context, () => {
      const answer = this.#writeKnown(changes, timed === true) ?? this.#writeAny(changes);
      // A sweep returns the keys of what has expired: removed beside it, they would be in no answer.
      if (changes.some(({ value }) => value !== undefined)) this.#expired.takeBack();
      return answer;
    });
  }

  async *list(filter: ListFilter, context: Pick<DriverContext, "signal">): AsyncGenerator<ListPage, void, undefined> {
    const listing = new EntryListing(this.#statements, this.#namespace, filter);
    while (!listing.isOver) yield await this.#connection.read(context, () => listing.next());
  }

  classify(error: unknown): ErrorClassification {
    return classifySqliteError(error, this.#file);
  }

  async close(): Promise<void> {
    this.#own.close();
    this.#connection.close();
  }

  /** `undefined`: not all of it is known, or one row was not as expected; nothing is written. */
  #writeKnown(changes: readonly Change[], isTimed: boolean): WriteAnswer | undefined {
    const known = this.#known.find(changes);
    if (known === undefined) return undefined;
    // One statement is a transaction by itself.
    if (changes.length === 1 && changes[0]?.reclaimAfter === undefined && !isTimed) {
      return this.#known.writeOne(known) ? WRITTEN : undefined;
    }
    const writtenAt = this.#connection.atomically("write", () => {
      const now = this.#statements.now();
      return this.#known.write(known, now) && now;
    });
    if (writtenAt === false) return undefined;
    return isTimed ? { writtenAt, changes: undefined } : WRITTEN;
  }

  #writeAny(changes: readonly Change[]): WriteAnswer {
    return this.#connection.atomically("write", () => {
      const writtenAt = this.#statements.now();
      return { writtenAt, changes: this.#rows.write(changes, writtenAt) };
    });
  }

  /** A refused batch must leave nothing in the caller's transaction, and a failed one neither. */
  async #writeWithin(transaction: SqliteTransaction, changes: readonly Change[]): Promise<WriteAnswer> {
    const { statements, rows } = this.#transactions.rowsOn(transaction);
    transaction.exec("SAVEPOINT tidemark");
    try {
      const writtenAt = statements.now();
      const answers = rows.write(changes, writtenAt);
      transaction.exec("RELEASE tidemark");
      return { writtenAt, changes: answers };
    } catch (error) {
      // A full disk makes SQLite roll back all of it by itself.
      if (transaction.isTransaction) transaction.exec("ROLLBACK TO tidemark; RELEASE tidemark");
      throw error;
    }
  }
}
