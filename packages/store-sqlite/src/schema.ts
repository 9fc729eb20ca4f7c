import type { DatabaseSync } from "node:sqlite";

/** One table of the store, and the column that distinguishes the entries of one consumer and topic. */
export interface EntryTable {
  readonly name: string;
  readonly item: "partition" | "member";
}

/** The positions: what people look for. */
export const POSITIONS: EntryTable = { name: "tidemark_offsets", item: "partition" };
/** The members of sharing groups, and the groups. */
export const MEMBERS: EntryTable = { name: "tidemark_members", item: "member" };

const TABLES = [POSITIONS, MEMBERS];

/** The latest moment that a `Date` holds, in milliseconds. */
const MAX_TIME_MS = 8_640_000_000_000_000;

/** SQLite keeps out numbers that JavaScript would round, and never gives an id twice: the ids that a store knows stay right. */
function tableText({ name, item }: EntryTable): string {
  return `${name} (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  namespace TEXT NOT NULL,
  consumer TEXT NOT NULL,
  topic TEXT NOT NULL,
  ${item === "member" ? "member TEXT NOT NULL" : "partition INTEGER NOT NULL CHECK (partition BETWEEN 0 AND 2147483647)"},
  version TEXT NOT NULL,
  written_at INTEGER NOT NULL CHECK (written_at BETWEEN 0 AND ${MAX_TIME_MS}),
  reclaim_at INTEGER CHECK (reclaim_at BETWEEN 0 AND ${MAX_TIME_MS}),
  value TEXT NOT NULL,
  UNIQUE (namespace, consumer, topic, ${item})
) STRICT`;
}

function indexNameOf({ name }: EntryTable): string {
  return `${name}_topic`;
}

/** The file has a table of this name with another shape. */
export class ForeignSchemaError extends Error {
  override readonly name = "ForeignSchemaError";
}

/** Whether tables and indexes are there; a check without a lock, so that opening costs the others nothing. */
export function hasSchema(database: DatabaseSync): boolean {
  const names = TABLES.flatMap((table) => [table.name, indexNameOf(table)]);
  const places = names.map(() => "?").join(", ");
  const row = database.prepare(`SELECT count(*) AS count FROM sqlite_schema WHERE name IN (${places})`).get(...names);
  return row?.["count"] === names.length;
}

/** Makes what is missing; inside a transaction, so that of several processes one makes it. */
export function createSchema(database: DatabaseSync): void {
  for (const table of TABLES) {
    const { name, item } = table;
    database.exec(`CREATE TABLE IF NOT EXISTS ${tableText(table)}`);
    // Before the index: it could not even be made on a table of another shape.
    validateTable(database, table);
    // A topic's entries without a look at the other topics': the cascade of a deleted topic.
    const columns = `namespace, topic, consumer, ${item}`;
    database.exec(`CREATE INDEX IF NOT EXISTS ${indexNameOf(table)} ON ${name} (${columns})`);
  }
}

/**
 * Checks that the tables are those that this package makes.
 *
 * @throws `ForeignSchemaError` if they are not.
 */
export function validateSchema(database: DatabaseSync): void {
  for (const table of TABLES) validateTable(database, table);
}

function validateTable(database: DatabaseSync, table: EntryTable): void {
  // SQLite keeps the statement as it was given.
  const made = database.prepare("SELECT sql FROM sqlite_schema WHERE name = ?").get(table.name)?.["sql"];
  if (made === `CREATE TABLE ${tableText(table)}`) return;
  const columns = database.prepare("SELECT name FROM pragma_table_info(?)").all(table.name);
  const names = columns.map(({ name }) => String(name)).join(", ");
  throw new ForeignSchemaError(
    `the table ${table.name} has other columns (${names}): another release or another program created it; ` +
      "open another file, or use the release that created it",
  );
}
