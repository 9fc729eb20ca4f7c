import { openPostgresStore } from "@tidemark/store-postgres";
import { Client } from "pg";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare, type Side } from "./paired.ts";
import { withServer } from "./server.ts";

const ROUNDS = 21;
// Before each side garbage is collected, and with it what has been compiled: short sides would measure that.
const SINGLE_CALLS = 2_000;
const FLUSHES = 200;
const PARTITIONS = 100;
/** As many characters as a version has. */
const VERSION_LENGTH = 12;

/** Commits through the PostgreSQL store against plain updates by the same client, which compare and stamp nothing. */
export async function comparePostgres(): Promise<Comparison[]> {
  return await withServer("postgres", async ({ url, version }) => {
    const client = new Client({ connectionString: url });
    await client.connect();
    try {
      await using store = await openPostgresStore({ client });
      const flushing = await committing(store, PARTITIONS, FLUSHES);
      const single = await committing(store, 1, SINGLE_CALLS);
      // What is copied has a position, as all that is written from then on.
      for (const side of [flushing, single]) await side();
      await client.query("CREATE TABLE alike (LIKE tidemark_offsets INCLUDING ALL) WITH (fillfactor = 50)");
      await client.query("INSERT INTO alike SELECT * FROM tidemark_offsets");
      await client.query("ANALYZE tidemark_offsets, alike");
      return [
        await compare(
          `PostgreSQL store (${version}), a flush of ${PARTITIONS} partitions, against one UPDATE of as many rows and bytes, with the same indexes`,
          ROUNDS,
          flushing,
          await updating(client, PARTITIONS, FLUSHES),
        ),
        await compare(
          `PostgreSQL store (${version}), one commit, against an UPDATE of one row of as many bytes, with the same indexes`,
          ROUNDS,
          single,
          await updating(client, 1, SINGLE_CALLS),
        ),
        await compareGrowth({
          name: "PostgreSQL store",
          open: (place) => openPostgresStore({ url, table: `growth_${place}` }),
          calls: SINGLE_CALLS,
          inFlight: 4,
        }),
      ];
    } finally {
      await client.end();
    }
  });
}

/** Writes as many bytes into as many rows as one does without a store. */
async function updating(client: Client, partitions: number, calls: number): Promise<Side> {
  const { rows } = await client.query<{ namespace: string; consumer: string; topic: string; value: string }>(
    "SELECT namespace, consumer, topic, value FROM alike WHERE consumer = $1",
    [`committer-of-${partitions}`],
  );
  const [row] = rows;
  if (row === undefined || rows.length !== partitions) throw new Error("the copy has other rows than the store");
  const { namespace, consumer, topic, value } = row;
  const [numbers, key] = [rows.map((_, partition) => partition), [namespace, consumer, topic]];
  const sameKey = "t.namespace = $1 AND t.consumer = $2 AND t.topic = $3 AND t.partition";
  const many = `UPDATE alike AS t SET version = g.version, value = g.value
    FROM unnest($4::integer[], $5::text[], $6::text[]) AS g(partition, version, value) WHERE ${sameKey} = g.partition`;
  const one = `UPDATE alike AS t SET version = $5, value = $6 WHERE ${sameKey} = $4`;
  let position = 0;
  return async () => {
    for (let call = 0; call < calls; call += 1) {
      position += 1;
      const version = String(position).padStart(VERSION_LENGTH, "0");
      const changed = version + value.slice(VERSION_LENGTH);
      if (partitions === 1) await client.query(one, [...key, 0, version, changed]);
      else await client.query(many, [...key, numbers, rows.map(() => version), rows.map(() => changed)]);
    }
    return calls;
  };
}
