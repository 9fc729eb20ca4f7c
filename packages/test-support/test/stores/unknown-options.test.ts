import { openKafkaLog } from "@tidemark/source-kafka";
import { openLocalLog } from "@tidemark/source-local";
import { createMemoryStore } from "@tidemark/store-memory";
import { openMongoStore } from "@tidemark/store-mongo";
import { openPostgresStore } from "@tidemark/store-postgres";
import { openRedisStore } from "@tidemark/store-redis";
import { openS3Store } from "@tidemark/store-s3";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { expect, test } from "vitest";

// Nothing listens where these lead: what is wrong must show before anybody is asked.
const opening: readonly (readonly [string, (options: object | undefined) => unknown])[] = [
  ["memory", (options) => createMemoryStore(options)],
  ["sqlite", (options) => openSqliteStore(options as never)],
  ["redis", (options) => openRedisStore(options as never)],
  ["mongo", (options) => openMongoStore(options as never)],
  ["postgres", (options) => openPostgresStore(options as never)],
  ["s3", (options) => openS3Store(options as never)],
];

test.each(opening)("%s refuses an option that it does not have, and names those that it has", async (_, open) => {
  const given = { url: "redis://127.0.0.1:1", timout: 5 };
  await expect((async () => open(given))()).rejects.toThrow(TypeError);
  await expect((async () => open({ timout: 5 }))()).rejects.toThrow(
    /^there is no option "timout"; known are .*namespace, timeout, onEvent$/,
  );
});

test.each([
  ["local", (options: object) => openLocalLog(options as never)],
  ["kafka", (options: object) => openKafkaLog(options as never)],
])("the log %s refuses an option that it does not have, and names those that it has", async (_, open) => {
  await expect((async () => open({ brokers: ["127.0.0.1:1"], file: "log.db", timout: 5 }))()).rejects.toThrow(
    TypeError,
  );
  await expect((async () => open({ timout: 5 }))()).rejects.toThrow(
    /^there is no option "timout"; known are .*timeout/,
  );
});

test.each(opening)("%s refuses what is no object", async (_, open) => {
  for (const options of [null, "redis://127.0.0.1:1", 7]) {
    await expect((async () => open(options as never))()).rejects.toThrow(/^options must be an object/);
  }
});
