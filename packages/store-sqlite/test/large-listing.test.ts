import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, it } from "vitest";
import { openSqliteStore } from "../src/index.ts";
import { answerOf, forkSmallWorker } from "./fork-worker.ts";
import { temporaryFolder } from "./temporary-folder.ts";

const RECORDS = 100_000;
const METADATA_BYTES = 600;
/** Of one listing's process: less than half of what it reads. */
const HEAP_MEGABYTES = 28;

it("lists 100,000 records in a heap that cannot hold them (contract 3.12c)", async () => {
  const file = join(await temporaryFolder(), "large.db");
  const store = await openSqliteStore({ file, synchronous: "normal" });
  await store.reset([
    { key: { consumer: "c", topic: "t", partition: 0 }, nextOffset: 1n, metadata: "x".repeat(METADATA_BYTES) },
  ]);
  await store.close();
  // Copies of what the store wrote: a hundred thousand resets would take most of the time.
  const database = new DatabaseSync(file);
  const names = ["namespace", "consumer", "topic", "partition", "version", "written_at", "reclaim_at", "value"];
  const values = names.map((name) => (name === "partition" ? "n" : name));
  database.exec(`WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < ${RECORDS - 1})
    INSERT INTO tidemark_offsets (${names.join(", ")}) SELECT ${values.join(", ")} FROM tidemark_offsets, numbers`);
  database.close();
  const answer = await answerOf(forkSmallWorker(HEAP_MEGABYTES, "lister", file));
  expect(answer).toEqual({ records: RECORDS, bytes: RECORDS * METADATA_BYTES });
});
