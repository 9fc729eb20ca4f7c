import type { DatabaseSync } from "node:sqlite";
import { LogSourceError } from "@tidemark/core";

const VERSION = "1";

// Names are kept as UTF-8 bytes: as TEXT a NUL would end them in SQLite's own functions.
// mark distinguishes a topic from every other one that ever had its name, in any file: topic_id is unique in one file only.
// max_timestamp_ms is the latest timestamp up to and with the record, where that is not its own: it never falls as offsets
// rise, so that a time is found by halving, however the producers' clocks went.
const TABLES = `
  CREATE TABLE IF NOT EXISTS tidemark_log_meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tidemark_log_topic (
    topic_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name BLOB NOT NULL UNIQUE,
    mark TEXT NOT NULL,
    partitions INTEGER NOT NULL,
    consumer_ttl_ms INTEGER,
    retention_ms INTEGER,
    retention_bytes INTEGER
  );
  CREATE TABLE IF NOT EXISTS tidemark_log_partition (
    topic_id INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    start_offset INTEGER NOT NULL DEFAULT 0,
    swept_offset INTEGER NOT NULL DEFAULT 0,
    next_offset INTEGER NOT NULL DEFAULT 0,
    bytes INTEGER NOT NULL DEFAULT 0,
    max_timestamp_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (topic_id, partition)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tidemark_log_record (
    topic_id INTEGER NOT NULL,
    partition INTEGER NOT NULL,
    offset INTEGER NOT NULL,
    timestamp_ms INTEGER NOT NULL,
    max_timestamp_ms INTEGER,
    key BLOB,
    value BLOB,
    headers BLOB,
    PRIMARY KEY (topic_id, partition, offset)
  ) WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS tidemark_log_dropped (topic_id INTEGER PRIMARY KEY);
  INSERT OR IGNORE INTO tidemark_log_meta (name, value) VALUES ('version', '${VERSION}');
`;

/** Names every column, so that tables of our names but of another shape are found out before anything is written to them. */
const SHAPE = [
  "SELECT name, value FROM tidemark_log_meta",
  "SELECT topic_id, name, mark, partitions, consumer_ttl_ms, retention_ms, retention_bytes FROM tidemark_log_topic",
  `SELECT topic_id, partition, start_offset, swept_offset, next_offset, bytes, max_timestamp_ms
    FROM tidemark_log_partition`,
  `SELECT topic_id, partition, offset, timestamp_ms, max_timestamp_ms, key, value, headers FROM tidemark_log_record`,
  "SELECT topic_id FROM tidemark_log_dropped",
];

/** Makes the log's tables where they are not there yet, and refuses those of another version. Other tables are not touched. */
export function prepareSchema(database: DatabaseSync, file: string): void {
  const present = database.prepare(
    "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'tidemark_log_dropped'",
  );
  if (present.get() === undefined) {
    database.exec("BEGIN IMMEDIATE");
    database.exec(TABLES);
    // What fails here leaves the file as it was: closing the connection rolls back.
    for (const columns of SHAPE) database.prepare(columns);
    database.exec("COMMIT");
  }
  for (const columns of SHAPE) database.prepare(columns);
  const row = database.prepare("SELECT value FROM tidemark_log_meta WHERE name = 'version'").get();
  const version = row?.["value"];
  if (version === VERSION) return;
  throw new LogSourceError(
    `${JSON.stringify(file)} holds a log of version ${JSON.stringify(version)}; this release reads version ${VERSION}: install the release that wrote it`,
    { code: "CORRUPT_LOG" },
  );
}
