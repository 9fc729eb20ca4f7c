import type { Row } from "./postgres-client.ts";
import { UnsupportedTableError } from "./postgres-errors.ts";

/** The most bytes of a table's name: those of its indexes are longer, and PostgreSQL cuts off what is beyond 63. */
const MAX_NAME_BYTES = 50;

/** The columns and their types, as the catalogue has them. */
const COLUMNS: Readonly<Record<string, string>> = {
  namespace: "text C",
  consumer: "text C",
  topic: "text C",
  partition: "integer",
  member: "text C",
  version: "text C",
  value: "text default",
  written_at: "timestamp with time zone",
  reclaim_at: "timestamp with time zone",
};

/** The table of a store, and its SQL. */
export class OffsetsTable {
  /** As SQL names it. */
  readonly name: string;
  readonly #schema: string;
  /** What makes it. The README has it for migrations. */
  readonly createSql: string;

  /** @throws TypeError if a name makes no sense. */
  constructor(schema: string, table: string) {
    this.#schema = quoted(checked("schema", schema));
    this.name = `${this.#schema}.${quoted(checked("table", table))}`;
    this.createSql = `CREATE TABLE ${this.name} (
  namespace text COLLATE "C" NOT NULL,
  consumer text COLLATE "C" NOT NULL,
  topic text COLLATE "C" NOT NULL,
  partition integer NOT NULL,
  member text COLLATE "C" NOT NULL,
  version text COLLATE "C" NOT NULL,
  value text NOT NULL,
  written_at timestamptz NOT NULL,
  reclaim_at timestamptz,
  PRIMARY KEY (namespace, consumer, topic, partition, member)
) WITH (fillfactor = 50);
CREATE INDEX ${quoted(`${table}_topic`)} ON ${this.name} (namespace, topic, consumer, partition, member);
CREATE INDEX ${quoted(`${table}_reclaim`)} ON ${this.name} (namespace, reclaim_at) WHERE reclaim_at IS NOT NULL;`;
  }

  /**
   * Makes the table if it is not there, and checks what is.
   *
   * @param run - Runs a statement.
   * @returns Whether the server says that what it has committed survives a power cut.
   * @throws UnsupportedTableError, or the client's own errors.
   */
  async prepare(
    run: (text: string, values: unknown[]) => Promise<readonly Row[]>,
  ): Promise<{ readonly isSynced: boolean }> {
    let found = await this.#look(run);
    if (found["columns"] === null) {
      // One statement: one transaction, also behind a pooler. A second caller waits, and finds it done.
      await run(
        `DO $tidemark$ BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('tidemark'));
  IF to_regclass('${this.name.replaceAll("'", "''")}') IS NULL THEN
    ${this.createSql}
  END IF;
END $tidemark$`,
        [],
      );
      found = await this.#look(run);
    }
    this.#check(found);
    return { isSynced: found["synced"] === "true" };
  }

  /** Whether the table is there. Where not even its schema is, too: making the table says so. */
  async exists(run: (text: string, values: unknown[]) => Promise<readonly Row[]>): Promise<boolean> {
    const [found] = await run(
      "SELECT (to_regclass($1::text) IS NOT NULL OR to_regnamespace($2::text) IS NULL)::text AS there",
      [this.name, this.#schema],
    );
    return found?.["there"] === "true";
  }

  async #look(run: (text: string, values: unknown[]) => Promise<readonly Row[]>): Promise<Row> {
    const [found = {}] = await run(
      `SELECT current_setting('server_encoding') AS encoding,
         (current_setting('fsync') = 'on' AND current_setting('synchronous_commit') <> 'off')::text AS synced,
         (SELECT json_object_agg(a.attname, concat_ws(' ', format_type(a.atttypid, a.atttypmod), c.collname))::text
          FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation c ON c.oid = a.attcollation
          WHERE a.attrelid = r AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
         EXISTS (SELECT FROM pg_catalog.pg_index i
          WHERE i.indrelid = r AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND
            (SELECT array_agg(a.attname::text ORDER BY a.attname) FROM pg_catalog.pg_attribute a
             WHERE a.attrelid = r AND a.attnum = ANY(i.indkey)) = '{consumer,member,namespace,partition,topic}')::text AS keyed
       FROM to_regclass($1::text) AS r`,
      [this.name],
    );
    return found;
  }

  #check({ encoding, columns, keyed }: Row): void {
    if (encoding !== "UTF8") {
      throw new UnsupportedTableError(
        `the database has the encoding ${String(encoding)}, which cannot hold every name; use a database with UTF8`,
      );
    }
    const advice = "use another table, or create this one as the README shows";
    const types = JSON.parse(typeof columns === "string" ? columns : "{}") as Readonly<
      Record<string, string | undefined>
    >;
    for (const [column, type] of Object.entries(COLUMNS)) {
      const is = types[column];
      if (is === type) continue;
      const what = is === undefined ? "has no" : `has with ${JSON.stringify(is)} another`;
      throw new UnsupportedTableError(`the table ${this.name} ${what} column ${column}, ${type}; ${advice}`);
    }
    if (keyed !== "true") {
      throw new UnsupportedTableError(
        `the table ${this.name} has no primary key (namespace, consumer, topic, partition, member); ${advice}`,
      );
    }
  }
}

function checked(what: string, name: unknown): string {
  if (typeof name !== "string") throw new TypeError(`${what} must be a string`);
  if (name === "" || Buffer.byteLength(name) > MAX_NAME_BYTES || /[\0$]/u.test(name)) {
    throw new TypeError(`${what} must have 1 to ${MAX_NAME_BYTES} bytes, and no $ and no NUL character`);
  }
  return name;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
