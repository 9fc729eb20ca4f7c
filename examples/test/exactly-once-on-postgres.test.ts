import { randomBytes, randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import { openPostgresStore } from "@tidemark/store-postgres";
import { describeWithServer, type RunningServer, sharedServer } from "@tidemark/test-support/servers";
import { Client } from "pg";
import { expect, it, onTestFinished } from "vitest";
import { openBench, storedPositions, upTo } from "./fixtures/bench.ts";
import { ExampleProcess } from "./fixtures/example-process.ts";

const KILLS = 4;
const LONGEST_LIFE_MS = 200;

const kafka = await sharedServer("kafka");
await ("missing" in kafka
  ? describeWithServer("kafka", () => undefined)
  : describeWithServer("postgres", (postgres) => declareKills(kafka, postgres)));

function declareKills(broker: RunningServer, postgres: RunningServer): void {
  it.each([
    ["Drizzle", "postgres/exactly-once-drizzle"],
    ["Kysely", "postgres/exactly-once-kysely"],
    ["kafkajs", "kafkajs/exactly-once-postgres"],
  ])(
    `%s and PostgreSQL, exactly once: killed ${KILLS} times, the table has each record once`,
    async (_name, program) => {
      const bench = await openBench(broker, 2);
      const { url, client } = await ownDatabase(postgres.url);
      await using store = await openPostgresStore({ url });
      const written = async (partition: number): Promise<number[]> => {
        const found = await client
          .query<{ number: string }>("SELECT number FROM results WHERE partition = $1 ORDER BY number", [partition])
          .catch((error: unknown) => {
            // The example makes the table, at its first start.
            if ((error as { readonly code?: string }).code === "42P01") return { rows: [] };
            throw error;
          });
        return found.rows.map(({ number }) => Number(number));
      };
      const counts = async () => [(await written(0)).length, (await written(1)).length];
      const run = () =>
        new ExampleProcess(
          `src/${program}.ts`,
          [bench.topic, bench.consumer],
          // kafkajs begins at once in a group of a new name.
          { BROKERS: broker.urls.map((each) => new URL(each).host).join(","), POSTGRES_URL: url, GROUP: randomUUID() },
          [],
        );
      const moved = async (before: readonly number[]) =>
        (await counts()).every((count, partition) => count > (before[partition] ?? 0));
      const producing = bench.produceSteadily();
      for (let kill = 0; kill < KILLS; kill += 1) {
        const before = await counts();
        const example = run();
        await example.until("both partitions moved on", () => moved(before));
        await pause(Math.random() * LONGEST_LIFE_MS);
        expect(await example.end("SIGKILL")).toBe("SIGKILL");
      }
      const before = await counts();
      const example = run();
      await example.until("it writes", () => moved(before));
      const produced = await producing.stop();
      await example.until("all is there", async () =>
        (await counts()).every((count, partition) => count >= (produced[partition] ?? 0)),
      );
      expect(await example.end("SIGTERM")).toBe(0);
      for (const partition of [0, 1]) expect(await written(partition)).toEqual(upTo(produced[partition] ?? 0));
      expect(await storedPositions(store, bench, 2)).toEqual(produced);
    },
  );
}

/** A database of the running test's own, dropped after it. */
async function ownDatabase(server: string): Promise<{ readonly url: string; readonly client: Client }> {
  const name = `example_${randomBytes(6).toString("hex")}`;
  const admin = new Client({ connectionString: server });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  const url = new URL(server);
  url.pathname = name;
  const client = new Client({ connectionString: url.href });
  await client.connect();
  onTestFinished(async () => {
    await client.end();
    await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
    await admin.end();
  });
  return { url: url.href, client };
}
