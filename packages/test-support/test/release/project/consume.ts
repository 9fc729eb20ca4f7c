// A user's program, in a project of its own: consumes a topic with its position in each store, and prints what it saw.
// Copied as consume.mts, which imports the packages, and as consume.cts, which requires them.
import { randomUUID } from "node:crypto";
import { createConsumer, type OffsetStore, OffsetStoreError } from "@tidemark/core";
import { createOffsetStore } from "@tidemark/core/driver";
import { storeConformanceCases } from "@tidemark/core/conformance";
import { byDuration } from "@tidemark/reset-policies";
import { openKafkaLog } from "@tidemark/source-kafka";
import { type LocalLog, openLocalLog } from "@tidemark/source-local";
import { createMemoryStore } from "@tidemark/store-memory";
import { openMongoStore } from "@tidemark/store-mongo";
import { openPostgresStore } from "@tidemark/store-postgres";
import { openRedisStore } from "@tidemark/store-redis";
import { openS3Store } from "@tidemark/store-s3";
import { openSqliteStore } from "@tidemark/store-sqlite";

/** Where the servers are, and where to put files. */
interface Places {
  readonly folder: string;
  readonly postgres: string;
  readonly redis: string;
  readonly mongo: string;
  readonly s3: { readonly bucket: string; readonly endpoint: string; readonly region: string };
}

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

async function read(log: LocalLog, store: OffsetStore<never>, count: number): Promise<string[]> {
  const consumer = await createConsumer({
    source: log,
    store,
    consumer: "c",
    topic: "t",
    resetPolicy: byDuration("P1D"),
    start: "earliest",
    untilEnd: true,
  });
  const values: string[] = [];
  for await (const record of consumer) {
    values.push(Buffer.from(record.value ?? []).toString());
    if (values.length === count) {
      consumer.commit(record);
      break;
    }
  }
  await consumer.close();
  return values;
}

async function main(places: Places): Promise<void> {
  const namespace = randomUUID();
  const log = await openLocalLog({ file: `${places.folder}/log.db` });
  await log.admin.createTopic("t", { partitions: 1 });
  await log.producer.produce("t", 0, [
    { value: Buffer.from("one") },
    { value: Buffer.from("two") },
    { value: Buffer.from("three") },
  ]);
  const quiet = { namespace, onEvent: () => undefined };
  const stores: Readonly<Record<string, () => OffsetStore<never> | Promise<OffsetStore<never>>>> = {
    memory: () => createMemoryStore(),
    sqlite: () => openSqliteStore({ file: `${places.folder}/positions.db` }),
    postgres: () => openPostgresStore({ url: places.postgres, ...quiet }),
    redis: () => openRedisStore({ url: places.redis, ...quiet }),
    mongo: () => openMongoStore({ url: places.mongo, ...quiet }),
    s3: () => openS3Store({ ...places.s3, forcePathStyle: true, ...quiet }),
  };
  for (const [name, open] of Object.entries(stores)) {
    const store = await open();
    const first = await read(log, store, 2);
    const second = await read(log, store, 2);
    const [position] = await store.fetch([{ consumer: "c", topic: "t", partition: 0 }]);
    const nextOffset = position?.status === "found" ? String(position.record.nextOffset) : position?.status;
    await store.close();
    print({ store: name, first, second, nextOffset });
  }
  await log.close();
  const loaded = { OffsetStoreError, createOffsetStore, openKafkaLog };
  print({ loaded: Object.keys(loaded), cases: storeConformanceCases.length > 100 });
}

main(JSON.parse(process.argv[2] ?? "") as Places).catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  process.exitCode = 1;
});
