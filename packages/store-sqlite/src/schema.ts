import type { DatabaseSync } from "node:sqlite";

/** The one table of the store. */
export const TABLE = "tidemark_offsets";

/** What the table must look like: column, type, whether it may be NULL, place in the primary key. */
const COLUMNS = [
  ["namespace", "TEXT", 1, 1],
  ["consumer", "TEXT", 1, 2],
  ["topic", "TEXT", 1, 3],
  ["partition", "INTEGER", 1, 4],
  ["version", "INTEGER", 1, 0],
  ["next_offset", "INTEGER", 0, 0],
  ["metadata", "TEXT", 1, 0],
  ["ttl", "INTEGER", 0, 0],
  ["token", "TEXT", 0, 0],
  ["owner", "TEXT", 0, 0],
  ["claimed_at", "INTEGER", 0, 0],
  ["committed_at", "INTEGER", 0, 0],
  ["expires_at", "INTEGER", 0, 0],
] as const;

const CREATE_TABLE = `CREATE TABLE IF NOT EXISTS ${TABLE} (
  ${COLUMNS.map(([name, type, notNull]) => `${name} ${type}${notNull === 1 ? " NOT NULL" : ""}`).join(",\n  ")},
  PRIMARY KEY (namespace, consumer, topic, partition)
) STRICT, WITHOUT ROWID`;

const INDEXES = {
  // A topic's records without a look at the other topics': the cascade of a deleted topic.
  tidemark_offsets_topic: `CREATE INDEX IF NOT EXISTS tidemark_offsets_topic
    ON ${TABLE} (namespace, topic, consumer, partition)`,
  // What expires first without a look at the rest; records that never expire are not in it.
  tidemark_offsets_expiry: `CREATE INDEX IF NOT EXISTS tidemark_offsets_expiry
    ON ${TABLE} (expires_at) WHERE expires_at IS NOT NULL AND version = 1`,
} as const;

/** The file has a table of this name with another shape. */
export class ForeignSchemaError extends Error {
  override readonly name = "ForeignSchemaError";
}

/** Tells whether table and indexes are there; a check without a lock, so that opening costs the others nothing. */
export function hasSchema(database: DatabaseSync): boolean {
  const names = [TABLE, ...Object.keys(INDEXES)];
  const row = database
    .prepare(`SELECT count(*) AS count FROM sqlite_schema WHERE name IN (${names.map(() => "?").join(", ")})`)
    .get(...names);
  return Number(row?.["count"]) === names.length;
}

/** Makes what is missing; inside a transaction, so that of several processes one makes it. */
export function createSchema(database: DatabaseSync): void {
  database.exec(CREATE_TABLE);
  // Before the indexes: they could not even be made on a table of another shape.
  validateSchema(database);
  for (const create of Object.values(INDEXES)) database.exec(create);
}

/**
 * Checks that the table is the one that this package makes.
 *
 * @throws `ForeignSchemaError` if it is not.
 */
export function validateSchema(database: DatabaseSync): void {
  const columns = database.prepare(`SELECT name, type, "notnull", pk FROM pragma_table_info('${TABLE}')`).all();
  const found = columns.map((column) => Object.values(column).join(" "));
  const expected = COLUMNS.map((column) => column.join(" "));
  if (found.join() === expected.join()) return;
  const names = columns.map((column) => String(column["name"])).join(", ");
  throw new ForeignSchemaError(
    `the table ${TABLE} has another shape (${names}): a newer release made it, or another program; ` +
      "upgrade, or open another file",
  );
}
