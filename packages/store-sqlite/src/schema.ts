import type { DatabaseSync } from "node:sqlite";

/** One table of the store, and the column that tells the entries of one consumer and topic apart. */
export interface EntryTable {
  readonly name: string;
  readonly item: "partition" | "member";
}

/** The positions: what people look for. */
export const POSITIONS: EntryTable = { name: "tidemark_offsets", item: "partition" };
/** The members of sharing groups. */
export const MEMBERS: EntryTable = { name: "tidemark_members", item: "member" };

/** The latest moment that a `Date` holds, in milliseconds. */
const MAX_TIME_MS = 8_640_000_000_000_000;
const TIME = `BETWEEN 0 AND ${MAX_TIME_MS}`;

/**
 * The columns of a table. An id is never given twice, so that the version tells whether a row is still the one of its id.
 * SQLite itself keeps out numbers that a JavaScript number would round.
 */
function columnsOf({ item }: EntryTable): readonly string[] {
  return [
    "id INTEGER PRIMARY KEY AUTOINCREMENT",
    "namespace TEXT NOT NULL",
    "consumer TEXT NOT NULL",
    "topic TEXT NOT NULL",
    item === "member"
      ? "member TEXT NOT NULL"
      : "partition INTEGER NOT NULL CHECK (partition BETWEEN 0 AND 2147483647)",
    "version TEXT NOT NULL",
    `written_at INTEGER NOT NULL CHECK (written_at ${TIME})`,
    `reclaim_at INTEGER CHECK (reclaim_at ${TIME})`,
    "value TEXT NOT NULL",
  ];
}

function createTable(table: EntryTable): string {
  return `CREATE TABLE IF NOT EXISTS ${table.name} (
    ${columnsOf(table).join(",\n    ")},
    UNIQUE (namespace, consumer, topic, ${table.item})
  ) STRICT`;
}

/** A topic's entries without a look at the other topics': the cascade of a deleted topic. */
function indexOf({ name, item }: EntryTable): { readonly name: string; readonly definition: string } {
  return { name: `${name}_topic`, definition: `ON ${name} (namespace, topic, consumer, ${item})` };
}

/** The file has a table of this name with another shape. */
export class ForeignSchemaError extends Error {
  override readonly name = "ForeignSchemaError";
}

/** Tells whether tables and indexes are there; a check without a lock, so that opening costs the others nothing. */
export function hasSchema(database: DatabaseSync): boolean {
  const names = [POSITIONS, MEMBERS].flatMap((table) => [table.name, indexOf(table).name]);
  const places = names.map(() => "?").join(", ");
  const row = database.prepare(`SELECT count(*) AS count FROM sqlite_schema WHERE name IN (${places})`).get(...names);
  return row?.["count"] === names.length;
}

/** Makes what is missing; inside a transaction, so that of several processes one makes it. */
export function createSchema(database: DatabaseSync): void {
  for (const table of [POSITIONS, MEMBERS]) {
    database.exec(createTable(table));
    // Before the index: it could not even be made on a table of another shape.
    validateTable(database, table);
    const { name, definition } = indexOf(table);
    database.exec(`CREATE INDEX IF NOT EXISTS ${name} ${definition}`);
  }
}

/**
 * Checks that the tables are those that this package makes.
 *
 * @throws `ForeignSchemaError` if they are not.
 */
export function validateSchema(database: DatabaseSync): void {
  for (const table of [POSITIONS, MEMBERS]) validateTable(database, table);
}

function validateTable(database: DatabaseSync, table: EntryTable): void {
  const columns = database.prepare(`SELECT name, type, "notnull" FROM pragma_table_info('${table.name}')`).all();
  const found = columns.map(({ name, type, notnull }) => `${name} ${type}${notnull === 1 ? " NOT NULL" : ""}`);
  const expected = columnsOf(table).map((column) => column.replace(/ (?:PRIMARY KEY|CHECK).*$/u, ""));
  if (found.join() === expected.join()) return;
  const names = columns.map(({ name }) => String(name)).join(", ");
  throw new ForeignSchemaError(
    `the table ${table.name} has another shape (${names}): another release made it, or another program; ` +
      "open another file, or use the release that made it",
  );
}
