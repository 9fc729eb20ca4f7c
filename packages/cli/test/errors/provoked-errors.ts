import { writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  type ConsumerStateErrorCode,
  createConsumer,
  type LogSourceErrorCode,
  type ManualConsumer,
  type OffsetFencedError,
  type OffsetOutOfRangeError,
  type OffsetStoreErrorCode,
  openOffsetSession,
} from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { openRedisStore } from "@tidemark/store-redis";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { createMemorySource, type MemorySource } from "@tidemark/test-support";
import type { Workspace } from "../support/workspace.ts";

/** Every code that an error of Tidemark's can have. */
export type ErrorCode =
  | OffsetStoreErrorCode
  | LogSourceErrorCode
  | ConsumerStateErrorCode
  | OffsetFencedError["code"]
  | OffsetOutOfRangeError["code"];

/** Brings an error about, and gives what a user then sees of it. */
export type Provocation = (workspace: Workspace) => Promise<string>;

const key = { consumer: "billing", topic: "orders", partition: 0 };
const billing = { consumer: "billing", topic: "orders", partitions: [0] };
// Whatever the machine has of AWS's: no profile of this name, and no cloud to ask.
const WITHOUT_CREDENTIALS = { AWS_PROFILE: "nobody", AWS_EC2_METADATA_DISABLED: "true" };
const claimOf = (token: string) => ({ key, token, owner: "node-2:812" });

/** One way to each code, as its page shows it: by the command line where it can be met there. */
export const provocations: Readonly<Record<ErrorCode, Provocation>> = {
  UNKNOWN_TOPIC: failingCommand("consume payments"),
  UNKNOWN_PARTITION: failingCommand("consume orders --partition 7"),
  TOPIC_EXISTS: failingCommand("topic create orders"),
  UNAVAILABLE: failingCommand("consumer list --store redis://127.0.0.1:1"),
  PERMISSION_DENIED: failingCommand("consumer list --store s3://positions?region=eu-central-1"),
  CORRUPT_LOG: async (workspace) => {
    await writeFile(join(workspace.folder, "notes.txt"), "bread, milk\n");
    return await failingCommand("topic list --log local:notes.txt")(workspace);
  },
  OFFSET_OUT_OF_RANGE: failingCommand("consume orders --start 50 --reset-policy none"),
  async TIMEOUT() {
    const silent = createServer((socket) => void socket.on("error", () => {}).resume());
    const { promise, resolve } = Promise.withResolvers<void>();
    silent.listen(0, "127.0.0.1", resolve);
    await promise;
    const address = silent.address();
    const port = typeof address === "object" ? address?.port : undefined;
    try {
      return await failingCall(() => openRedisStore({ url: `redis://127.0.0.1:${port}`, timeout: 1000 }));
    } finally {
      silent.close();
    }
  },
  async UNSUPPORTED() {
    await using store = createMemoryStore();
    const entry = { key, token: "t", nextOffset: 1n };
    return await failingCall(() => store.commit([entry], { transaction: {} as never }));
  },
  async FENCED() {
    await using store = createMemoryStore();
    const options = { ...billing, store, sharing: "takeover" } as const;
    await using session = await openOffsetSession(options);
    await using newer = await openOffsetSession({ ...options, owner: "node-2:812" });
    session.commit({ partition: 0, offset: 41n });
    return await failingCall(() => session.flush(), newer);
  },
  async CORRUPT_RECORD({ folder }) {
    const file = join(folder, "damaged.db");
    await using store = await openSqliteStore({ file });
    await store.claim([claimOf("t")]);
    using database = new DatabaseSync(file);
    database.exec(`UPDATE tidemark_offsets SET value = replace(value, '"v":1', '"v":99')`);
    return await failingCall(async () => {
      const [outcome] = await store.fetch([key]);
      if (outcome?.status === "failed") throw outcome.error;
    });
  },
  async CONFLICT({ folder }) {
    const file = join(folder, "conflict.db");
    await using store = await openSqliteStore({ file });
    await store.claim([claimOf("older")]);
    await store.claim([claimOf("newer")]);
    using transaction = new DatabaseSync(file);
    transaction.exec("BEGIN IMMEDIATE");
    return await failingCall(() => store.commit([{ key, token: "older", nextOffset: 1n }], { transaction }));
  },
  async CLOSED() {
    const store = createMemoryStore();
    await store.close();
    return await failingCall(() => store.fetch([key]));
  },
  async ALREADY_READING() {
    await using log = await ordersLog();
    await using consumer = await createConsumer({ source: log, topic: "orders" });
    const loop = consumer[Symbol.asyncIterator]();
    await loop.next();
    return await failingCall(async () => consumer[Symbol.asyncIterator]());
  },
  async NEEDS_MANUAL() {
    await using log = await ordersLog();
    await using store = createMemoryStore();
    await using consumer = await createConsumer({ source: log, store, topic: "orders", consumer: "billing" });
    const inJavaScript = consumer as unknown as ManualConsumer;
    return await failingCall(async () => inJavaScript.acknowledge({ partition: 0, offset: 0n }));
  },
  async NOT_NEXT() {
    await using store = createMemoryStore();
    await using session = await openOffsetSession({ ...billing, store });
    session.resetTo(0, 41n, "below-log");
    return await failingCall(() => session.commitWithin({} as never, { partition: 0, offset: 41n }));
  },
  async NOT_HELD() {
    await using store = createMemoryStore();
    await using session = await openOffsetSession({ ...billing, store });
    const record = { partition: 0, offset: 17n };
    session.deliver(record);
    session.resetTo(0, 41n, "below-log");
    return await failingCall(() => session.commitWithin({} as never, record));
  },
  async UNKNOWN({ folder }) {
    const file = join(folder, "emptied.db");
    await using store = await openSqliteStore({ file });
    using database = new DatabaseSync(file);
    database.exec("DROP TABLE tidemark_offsets");
    return (await failingCall(() => store.fetch([key]))).replaceAll(folder, "/home/you");
  },
};

async function ordersLog(): Promise<MemorySource> {
  const source = createMemorySource();
  await source.admin.createTopic("orders", { partitions: 1 });
  await source.producer.produce("orders", 0, [{ value: Buffer.from("one") }]);
  return source;
}

function failingCommand(command: string): Provocation {
  return async (workspace) => {
    const { code, stderr } = await workspace.run(command.split(" "), { environment: WITHOUT_CREDENTIALS });
    if (code !== 1) throw new Error(`tidemark ${command} ended with ${code}: ${stderr}`);
    return `$ tidemark ${command}\n${stderr.trimEnd().replaceAll(workspace.folder, "/home/you")}`;
  };
}

async function failingCall(call: () => Promise<unknown>, _keptOpen?: AsyncDisposable): Promise<string> {
  const error = await call().then(
    () => undefined,
    (failure: unknown) => failure,
  );
  if (!(error instanceof Error)) throw new Error("the call was expected to fail");
  return `${error.name}: ${error.message}`;
}
