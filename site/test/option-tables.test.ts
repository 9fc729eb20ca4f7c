import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expectGenerated } from "@tidemark/test-support/documents";
import { describe, expect, it } from "vitest";
import { optionTables, type OptionsType } from "../src/option-tables.ts";
import { rootFolder } from "../src/repository.ts";

const PAGE = join(rootFolder, "docs/options.md");

/** Each table of the page, by the function or method that takes the options. */
const TABLES: Readonly<Record<string, OptionsType>> = {
  createConsumer: { file: "packages/core/src/consumer/consumer.ts", type: "ConsumerOptions" },
  batches: { file: "packages/core/src/consumer/consumer.ts", type: "BatchesOptions" },
  process: { file: "packages/core/src/consumer/consumer.ts", type: "ProcessOptions" },
  openOffsetSession: { file: "packages/core/src/session/offset-session.ts", type: "OffsetSessionOptions" },
  stores: { file: "packages/core/src/driver/store-options.ts", type: "OffsetStoreOptions" },
  openSqliteStore: { file: "packages/store-sqlite/src/open-sqlite-store.ts", type: "SqliteStoreOptions" },
  openPostgresStore: { file: "packages/store-postgres/src/open-postgres-store.ts", type: "PostgresStoreOptions" },
  openRedisStore: { file: "packages/store-redis/src/open-redis-store.ts", type: "RedisStoreOptions" },
  openMongoStore: { file: "packages/store-mongo/src/open-mongo-store.ts", type: "MongoStoreOptions" },
  openS3Store: { file: "packages/store-s3/src/open-s3-store.ts", type: "S3StoreOptions" },
  createMemoryStore: { file: "packages/store-memory/src/create-memory-store.ts", type: "MemoryStoreOptions" },
  openKafkaLog: { file: "packages/source-kafka/src/kafka-log.ts", type: "KafkaLogOptions" },
  openLocalLog: { file: "packages/source-local/src/local-log.ts", type: "LocalLogOptions" },
};

describe("the page of options", () => {
  const tables = optionTables(Object.values(TABLES));

  it.each(Object.keys(TABLES).map((name, index) => [name, tables[index] ?? ""] as const))(
    "has the options of %s as the types have them",
    async (name, table) => {
      await expectGenerated(PAGE, name, table);
    },
  );

  it("has no other tables of options", () => {
    const blocks = [...readFileSync(PAGE, "utf8").matchAll(/^<!-- (?<name>\w+) -->$/gm)];
    expect(blocks.map(({ groups }) => groups?.["name"])).toEqual(Object.keys(TABLES));
  });

  it("says of every option what it does", () => {
    const silent = tables
      .join("\n")
      .split("\n")
      .filter((row) => row.endsWith("|  |"));
    expect(silent).toEqual([]);
  });
});
