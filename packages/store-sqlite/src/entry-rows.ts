import type { Change, ChangeAnswer, DriverKey, KeyMap, StoredEntry } from "@tidemark/core/driver";
import { type EntryTable, MEMBERS, POSITIONS } from "./schema.ts";
import type { Statements } from "./statements.ts";

/** What a write has to know of a row. */
interface FoundRow {
  readonly id: number;
  readonly version: string;
  readonly reclaim_at: number | null;
}

/** Reads and writes entries by their keys, on the store's own handle or on a caller's. */
export class EntryRows {
  readonly #statements: Statements;
  readonly #namespace: string;
  readonly #ids: KeyMap<number> | undefined;

  /** @param ids - Learns where the rows of positions are. */
  constructor(statements: Statements, namespace: string, ids?: KeyMap<number>) {
    this.#statements = statements;
    this.#namespace = namespace;
    this.#ids = ids;
  }

  /** What is stored under a key, expired or not. */
  read(key: DriverKey): StoredEntry | undefined {
    const row = this.#select<{ version: string; written_at: number; value: string }>("version, written_at, value", key);
    return row && { version: row.version, value: row.value, writtenAt: row.written_at };
  }

  /**
   * Compares all changes and writes them, or none if one does not meet what it expects. Inside a write transaction. What
   * has expired when the transaction has its lock is taken back, and is not there (contract 3.5b).
   *
   * @returns The answers; `undefined` if all are written.
   */
  write(changes: readonly Change[], now: number): ChangeAnswer[] | undefined {
    const found = changes.map((change) => this.#find(change, now));
    const fits = changes.map(({ expected }, at) => expected === "any" || expected.includes(found[at]?.version ?? null));
    if (fits.includes(false)) return fits.map((isExpected) => (isExpected ? "skipped" : "conflict"));
    for (const [at, change] of changes.entries()) this.#put(change, found[at]?.id, now);
    return undefined;
  }

  #find({ key, value }: Change, now: number): FoundRow | undefined {
    const row = this.#select<FoundRow>("id, version, reclaim_at", key);
    const isExpired = row !== undefined && row.reclaim_at !== null && row.reclaim_at <= now;
    if (isExpired && value !== undefined) {
      this.#delete(key, row.id);
      return undefined;
    }
    if (row !== undefined && "partition" in key) this.#ids?.set(key, row.id);
    return row;
  }

  #put({ key, value, version, reclaimAfter }: Change, id: number | undefined, now: number): void {
    if (value === undefined) {
      if (id !== undefined) this.#delete(key, id);
      return;
    }
    const { name, item } = tableOf(key);
    const reclaimAt = typeof reclaimAfter === "number" ? now + reclaimAfter : null;
    if (id === undefined) {
      const columns = `namespace, consumer, topic, ${item}, version, written_at, reclaim_at, value`;
      this.#statements
        .of(`INSERT INTO main.${name} (${columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`)
        .run(...this.#key(key), version, now, reclaimAt, value);
    } else {
      this.#statements
        .of(`UPDATE main.${name} SET version = ?, written_at = ?, reclaim_at = ?, value = ? WHERE id = ?`)
        .run(version, now, reclaimAt, value, id);
    }
  }

  #delete(key: DriverKey, id: number): void {
    this.#statements.of(`DELETE FROM main.${tableOf(key).name} WHERE id = ?`).run(id);
    if ("partition" in key) this.#ids?.delete(key);
  }

  #select<Row>(columns: string, key: DriverKey): Row | undefined {
    const { name, item } = tableOf(key);
    return this.#statements
      .of(`SELECT ${columns} FROM main.${name} WHERE namespace = ? AND consumer = ? AND topic = ? AND ${item} = ?`)
      .get(...this.#key(key)) as Row | undefined;
  }

  #key(key: DriverKey): [string, string, string, string | number] {
    return [this.#namespace, key.consumer, key.topic, "partition" in key ? key.partition : key.member];
  }
}

function tableOf(key: DriverKey): EntryTable {
  return "partition" in key ? POSITIONS : MEMBERS;
}
