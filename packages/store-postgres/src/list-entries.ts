import type { ListFilter, ListPage } from "@tidemark/core/driver";
import { ENTRY_COLUMNS, entryOf, keyOf, milliseconds, NO_PARTITION, storedName } from "./entry-rows.ts";
import { Parameters } from "./parameters.ts";
import type { Row } from "./postgres-client.ts";

/** The most rows of one page. */
const PAGE_ROWS = 1_000;

/**
 * Lists page by page, each a statement by itself: no cursor and no snapshot is held open while a reader takes its time. A page
 * continues behind the last key of the one before.
 */
export async function* listEntries(
  run: (text: string, values: unknown[]) => Promise<readonly Row[]>,
  table: string,
  namespace: string,
  filter: ListFilter,
): AsyncGenerator<ListPage, void, undefined> {
  let last: Row | undefined;
  for (;;) {
    const parameters = new Parameters();
    const conditions = [`t.namespace = ${parameters.add(namespace, "text")}`];
    conditions.push(filter.kind === "member" ? `t.partition = ${NO_PARTITION}` : "t.partition >= 0");
    const order: string[] = [];
    for (const name of ["consumer", "topic"] as const) {
      const value = filter[name];
      if (value === undefined) order.push(name);
      else conditions.push(`t.${name} = ${parameters.add(storedName(value), "text")}`);
    }
    order.push("partition", "member");
    if (filter.partition !== undefined) {
      conditions.push(`t.partition = ${parameters.add(filter.partition, "integer")}`);
    }
    // Up to a minute after its time: reclaim_at is rounded up.
    if (filter.reclaimable === true) conditions.push("t.reclaim_at <= now() + interval '1 minute'");
    if (last !== undefined) {
      const lastKey = order.map((name) =>
        parameters.add(String(last?.[name]), name === "partition" ? "integer" : "text"),
      );
      conditions.push(`(${order.map((name) => `t.${name}`).join(", ")}) > (${lastKey.join(", ")})`);
    }
    const rows = await run(
      `SELECT t.consumer, t.topic, t.partition, t.member, ${ENTRY_COLUMNS}, ${milliseconds("now()")} AS now
       FROM ${table} AS t WHERE ${conditions.join(" AND ")} ORDER BY ${order.map((name) => `t.${name}`).join(", ")} LIMIT ${PAGE_ROWS}`,
      parameters.values,
    );
    const [first] = rows;
    if (first === undefined) return;
    yield {
      now: Math.floor(Number(first["now"])),
      entries: rows.map((row) => ({ key: keyOf(row), entry: entryOf(row) })),
    };
    if (rows.length < PAGE_ROWS) return;
    last = rows.at(-1);
  }
}
