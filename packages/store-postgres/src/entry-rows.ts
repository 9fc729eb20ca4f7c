import {
  type Change,
  type DriverKey,
  type StoredEntry,
  type UnreadableEntry,
  UnreadableRecordError,
} from "@tidemark/core/driver";
import type { Given } from "./parameters.ts";
import type { Row } from "./postgres-client.ts";

/** The columns of a key. A member's row has the partition -1, and a position's has the member `""`. */
export interface KeyColumns {
  readonly consumer: string;
  readonly topic: string;
  readonly partition: number;
  readonly member: string;
}

/** The types of a key's columns. */
export const KEY_TYPES: Readonly<Record<keyof KeyColumns, string>> = Object.freeze({
  consumer: "text",
  topic: "text",
  partition: "integer",
  member: "text",
});

/** Where a row has its partition, if it is a member's. */
export const NO_PARTITION = -1;

/** A change with its columns. */
export interface ChangeRow extends KeyColumns {
  readonly change: Change;
  /** What is done to the table: `update` only over a version, `create` only over nothing, `put` over anything. */
  readonly kind: "delete" | "update" | "create" | "put";
  /** The versions with commas between them; `null` for any. */
  readonly expected: string | null;
  readonly version: string;
  readonly value: string | null;
  /** Milliseconds after which its space may be taken back. */
  readonly life: number | null;
}

/** A time in milliseconds, as a number or text of one. */
export function milliseconds(time: string): string {
  return `(extract(epoch FROM ${time}) * 1000)::float8`;
}

/** What a statement selects of an entry. */
export const ENTRY_COLUMNS = `t.version, t.value, ${milliseconds("t.written_at")} AS written`;

export function columnsOf(key: DriverKey): KeyColumns {
  const [consumer, topic] = [storedName(key.consumer), storedName(key.topic)];
  return "partition" in key
    ? { consumer, topic, partition: key.partition, member: "" }
    : { consumer, topic, partition: NO_PARTITION, member: storedName(key.member) };
}

export function keyOf({ consumer, topic, partition, member }: Row): DriverKey {
  const names = { consumer: givenName(consumer), topic: givenName(topic) };
  return Number(partition) === NO_PARTITION
    ? { ...names, member: givenName(member) }
    : { ...names, partition: Number(partition) };
}

/** The entry of a row that has {@link ENTRY_COLUMNS}. */
export function entryOf({ version, value, written }: Row): StoredEntry | UnreadableEntry {
  const writtenAt = Math.round(Number(written));
  if (Number.isFinite(writtenAt)) return { version: String(version), value: String(value), writtenAt };
  return { version: String(version), error: new UnreadableRecordError("its written_at is not a time") };
}

/** The row of a change. One that expects a version or nothing looks for the version first. */
export function changeRow(change: Change): ChangeRow {
  const { key, expected, version, value = null, reclaimAfter } = change;
  const versions = expected === "any" ? null : expected.filter((each) => each !== null).join(",");
  const kind = value === null ? "delete" : versions === null ? "put" : versions === "" ? "create" : "update";
  return { ...columnsOf(key), change, kind, expected: versions, version, value, life: reclaimAfter ?? null };
}

/** That a row of the table `t` has the key of what is given. */
export function sameKey(given: Pick<Given<keyof KeyColumns>, "column">): string {
  return (Object.keys(KEY_TYPES) as (keyof KeyColumns)[])
    .map((name) => `t.${name} = ${given.column(name)}`)
    .join(" AND ");
}

/** In the order in which all statements write: two that lock the same rows in different orders wait for each other. */
export function inKeyOrder(one: KeyColumns, other: KeyColumns): number {
  return (
    compare(one.consumer, other.consumer) ||
    compare(one.topic, other.topic) ||
    one.partition - other.partition ||
    compare(one.member, other.member)
  );
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}

/** PostgreSQL's text holds everything but NUL, and PGlite loses a byte order mark in front. */
export function storedName(name: string): string {
  if (!/[%\0]|^\ufeff/u.test(name)) return name;
  return name
    .replaceAll("%", "%25")
    .replaceAll("\0", "%00")
    .replace(/^\ufeff/u, "%FEFF");
}

function givenName(stored: unknown): string {
  const name = String(stored);
  if (!name.includes("%")) return name;
  return name
    .replace(/^%FEFF/u, "\ufeff")
    .replaceAll("%00", "\0")
    .replaceAll("%25", "%");
}
