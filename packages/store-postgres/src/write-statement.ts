import { type ChangeRow, KEY_TYPES, type KeyColumns, milliseconds, sameKey } from "./entry-rows.ts";
import { Given, Parameters } from "./parameters.ts";

const CLOCK = "date_trunc('milliseconds', clock_timestamp())";
const KEY_NAMES = Object.keys(KEY_TYPES) as (keyof KeyColumns)[];
const TYPES = { ...KEY_TYPES, expected: "text", version: "text", value: "text", life: "bigint" };

/** A statement that carries out changes, and how its answer is read. */
export interface WriteStatement {
  readonly text: string;
  readonly values: unknown[];
  /** The columns of its rows that distinguish one change from another. */
  readonly identity: readonly (keyof KeyColumns)[];
}

/** What goes with a write. */
export interface WriteConditions {
  /** The table as SQL names it. */
  readonly table: string;
  /** The namespace as it is stored. */
  readonly namespace: string;
  readonly isTimed: boolean;
  /** A condition without columns that is looked at before any row is locked. */
  readonly gate: string;
}

/**
 * Makes one statement of changes of any kinds: they share one time, and one way to the server. It gives a row for each
 * change that is carried out.
 */
export function writeStatement(rows: readonly ChangeRow[], conditions: WriteConditions): WriteStatement {
  const parts = Map.groupBy(rows, ({ kind }) => kind);
  const [first] = rows;
  const identity = KEY_NAMES.filter((name) => rows.some((row) => row[name] !== first?.[name]));
  const parameters = new Parameters();
  const namespace = parameters.add(conditions.namespace, "text");
  // Of many rows asked for once and not for each; of one a query of its own would be dearer than all the rest.
  const once = (expression: string): string => (rows.length === 1 ? expression : `(SELECT ${expression})`);
  const stamp = parts.size > 1 ? "(SELECT now FROM stamp)" : once(CLOCK);
  const gate = once(conditions.gate);
  const returned = identity.map((name) => `t.${name}`);
  const texts = Array.from(parts, ([kind, part]) => {
    const isTold = conditions.isTimed && kind !== "delete";
    const time = `${isTold ? milliseconds("t.written_at") : "NULL::float8"} AS written`;
    const given = new Given<keyof typeof TYPES>(part, TYPES, parameters);
    return `${partText(kind, part, given, { table: conditions.table, namespace, stamp, gate })}
      RETURNING ${[...returned, time].join(", ")}`;
  });
  const { values } = parameters;
  if (texts.length === 1) return { text: texts.join(""), values, identity };
  const names = texts.map((_, index) => `part_${index}`);
  const text = `WITH stamp AS MATERIALIZED (SELECT ${CLOCK} AS now),
    ${texts.map((part, index) => `${names[index]} AS (${part})`).join(", ")}
    ${names.map((name) => `SELECT * FROM ${name}`).join(" UNION ALL ")}`;
  return { text, values, identity };
}

/** What one part of a statement is made with: expressions. */
interface Expressions {
  readonly table: string;
  readonly namespace: string;
  readonly stamp: string;
  readonly gate: string;
}

function partText(
  kind: ChangeRow["kind"],
  rows: readonly ChangeRow[],
  given: Given<keyof typeof TYPES>,
  { table, namespace, stamp, gate }: Expressions,
): string {
  if (kind === "delete") {
    const matches = `t.namespace = ${namespace} AND ${sameKey(given)} AND ${isExpected(rows, given)} AND ${gate}`;
    return `DELETE FROM ${table} AS t ${given.table === undefined ? "" : `USING ${given.table}`} WHERE ${matches}`;
  }
  const written = {
    version: given.column("version"),
    written_at: stamp,
    // Rounded up to a minute: so the index over it changes once a minute, and not with every commit.
    reclaim_at: rows.every(({ life }) => life === null)
      ? "NULL::timestamptz"
      : `date_trunc('minute', ${stamp} + ${given.column("life")} * interval '1 millisecond') + interval '1 minute'`,
    value: given.column("value"),
  };
  const names = Object.keys(written);
  if (kind === "update") {
    const matches = `t.namespace = ${namespace} AND ${sameKey(given)} AND ${isExpected(rows, given)} AND ${gate}`;
    return `UPDATE ${table} AS t SET ${Object.entries(written)
      .map((pair) => pair.join(" = "))
      .join(", ")}
      ${given.table === undefined ? "" : `FROM ${given.table}`} WHERE ${matches}`;
  }
  const key = KEY_NAMES.map((name) => given.column(name));
  const conflict =
    kind === "create" ? "NOTHING" : `UPDATE SET ${names.map((name) => `${name} = excluded.${name}`).join(", ")}`;
  return `INSERT INTO ${table} AS t (namespace, ${[...KEY_NAMES, ...names].join(", ")})
    SELECT ${[namespace, ...key, ...Object.values(written)].join(", ")}
    ${given.table === undefined ? "" : `FROM ${given.table}`} WHERE ${gate}
    ON CONFLICT (namespace, ${KEY_NAMES.join(", ")}) DO ${conflict}`;
}

/**
 * That a row has an expected version. By the function and not by the operator: of an unknown version the planner would
 * believe that at most one row has it, and compare each row found with each one given.
 */
function isExpected(rows: readonly ChangeRow[], given: Given<keyof typeof TYPES>): string {
  const expected = given.column("expected");
  const isOne = rows.every((row) => row.expected !== null && row.expected !== "" && !row.expected.includes(","));
  if (isOne) return `texteq(t.version, ${expected})`;
  return `(${expected} IS NULL OR t.version = ANY(string_to_array(${expected}, ',')))`;
}
