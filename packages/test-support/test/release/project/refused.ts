// Opens each store, and the log, of a release that does not fit the core beside it, and prints how that ended.
import { openLocalLog } from "@tidemark/source-local";
import { createMemoryStore } from "@tidemark/store-memory";
import { openMongoStore } from "@tidemark/store-mongo";
import { openPostgresStore } from "@tidemark/store-postgres";
import { openRedisStore } from "@tidemark/store-redis";
import { openS3Store } from "@tidemark/store-s3";
import { openSqliteStore } from "@tidemark/store-sqlite";

function print(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

const address = process.argv[2] ?? "";
const openers: Readonly<Record<string, () => unknown>> = {
  memory: () => createMemoryStore(),
  sqlite: () => openSqliteStore({ file: "refused.db" }),
  postgres: () => openPostgresStore({ url: `postgres://postgres@${address}/postgres` }),
  redis: () => openRedisStore({ url: `redis://${address}` }),
  mongo: () => openMongoStore({ url: `mongodb://${address}` }),
  s3: () => openS3Store({ bucket: "b", endpoint: `http://${address}`, region: "us-east-1" }),
  log: () => openLocalLog({ file: "refused-log.db" }),
};
for (const [name, open] of Object.entries(openers)) {
  try {
    await open();
    print({ name, error: "none" });
  } catch (error) {
    print({ name, error: String(error) });
  }
}
