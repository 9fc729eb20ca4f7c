import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  createConsumer,
  type LogSource,
  type ManualConsumer,
  openOffsetSession,
  type OffsetSession,
  type OffsetStore,
  resolveOffsetResetPolicy,
  whereToRead,
} from "@tidemark/core";
import { type ConformanceRunner, openTcpProxy, type StoreHarness, testOffsetStore } from "@tidemark/core/conformance";
import { testStoreModel } from "@tidemark/core/conformance/model";
import { applyImport, applyReset, planImport, planReset } from "@tidemark/core/positions";
import { atTimestamp, byDuration, offsetResetPolicyByName } from "@tidemark/reset-policies";
import { logUrl as kafkaUrl, openKafkaLog } from "@tidemark/source-kafka";
import { logUrl as localUrl, openLocalLog } from "@tidemark/source-local";
import { createMemoryBackend, createMemoryStore, storeUrl as memoryUrl } from "@tidemark/store-memory";
import { openMongoStore, storeUrl as mongoUrl } from "@tidemark/store-mongo";
import { openPostgresStore, storeUrl as postgresUrl } from "@tidemark/store-postgres";
import { openRedisStore, storeUrl as redisUrl } from "@tidemark/store-redis";
import { openS3Store, storeUrl as s3Url } from "@tidemark/store-s3";
import { openSqliteStore, storeUrl as sqliteUrl } from "@tidemark/store-sqlite";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

type Fields = Readonly<Record<string, unknown>>;

/** A factory, or a call, that takes an object of options or fields. */
interface Taker {
  readonly what: string;
  /** Calls it with what is right, and these beside it or in its place. */
  readonly call: (other: Fields) => unknown;
  /** One wrong value for each of its options. */
  readonly wrong: Fields;
}

let folder: string;
let store: OffsetStore<never>;
let log: LogSource;
let session: OffsetSession;
let consumer: ManualConsumer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidemark-options-"));
  store = createMemoryStore();
  log = await openLocalLog({ file: join(folder, "log.db") });
  await log.admin?.createTopic("t", {});
  await log.producer?.produce("t", 0, [{ value: Buffer.from("a") }]);
  session = await openOffsetSession({ store, consumer: "s", topic: "t", partitions: [0] });
  consumer = await createConsumer({ source: log, topic: "t", store, consumer: "m", strategy: "manual" });
});
afterAll(async () => {
  await consumer.close();
  await session.close();
  await log.close();
  await store.close();
  await rm(folder, { recursive: true });
});

// A key may have more fields: a record that a store gave is the key of itself.
const key = { consumer: "c", topic: "t", partition: 0 };
const member = { consumer: "c", topic: "t", member: "m" };
const ofEveryStore = { namespace: 5, timeout: "5s", onEvent: "log" };
const ofSessions = {
  ...{ flushInterval: "1s", ttl: "1h", owner: 5, renewInterval: "1s", maxUnflushedAge: "1m", onFenced: "go" },
  ...{ onEvent: "log", signal: {}, sharing: "shared", lease: "10s", instance: 5, revokeTimeout: "1m" },
};
const onlySignal = { signal: {} };

const noRunner: ConformanceRunner = { describe: () => {}, it: () => {} };
const noHarness: StoreHarness<never> = {
  name: "none",
  connection: "embedded",
  open: () => Promise.reject(new Error("nothing is opened")),
};

const factories: readonly Taker[] = [
  {
    what: "createConsumer",
    call: (other) => createConsumer({ source: log, topic: "t", store, consumer: "x", ...other } as never),
    wrong: {
      ...ofSessions,
      ...{
        source: {},
        topic: 5,
        store: {},
        consumer: 5,
        partitions: "all",
        start: 5,
        resetPolicy: 5,
        strategy: "always",
      },
      ...{ untilEnd: "yes", maxWait: "5s", maxBufferedBytes: "1MB", partitionRefreshInterval: "1m" },
    },
  },
  {
    what: "openOffsetSession",
    call: (other) => openOffsetSession({ store, consumer: "x", topic: "t", partitions: [0], ...other }),
    wrong: {
      ...ofSessions,
      ...{ store: {}, consumer: 5, topic: 5, partitions: "all", onAssigned: "log", onRevoked: "log" },
    },
  },
  {
    what: "whereToRead",
    call: (other) => whereToRead({ topic: "t", listOffsets: () => [], positions: [], ...other }),
    wrong: { topic: 5, listOffsets: 5, positions: 5, start: 5, resetPolicy: 5, signal: {} },
  },
  {
    what: "planReset",
    call: (other) => planReset({ store, log, consumer: "c", to: "latest", ...other } as never),
    wrong: { store: {}, log: {}, consumer: 5, topics: "t", partitions: 0, to: 5, signal: {} },
  },
  {
    what: "applyReset",
    call: (other) => applyReset({ store, plan: { consumer: "c", resets: [] }, ...other }),
    wrong: { store: {}, plan: {}, onProgress: 5, signal: {} },
  },
  ...[planImport, applyImport].map((run) => ({
    what: run.name,
    call: (other: Fields) => run({ store, positions: [], ...other }),
    wrong: { store: {}, positions: 5, overwrite: "yes", onProgress: 5, signal: {} },
  })),
  {
    what: "createMemoryStore",
    call: (other) => createMemoryStore(other),
    wrong: { ...ofEveryStore, backend: {}, clock: 5 },
  },
  { what: "createMemoryBackend", call: (other) => createMemoryBackend(other), wrong: { clock: 5 } },
  {
    what: "openSqliteStore",
    call: (other) => openSqliteStore({ file: join(folder, "x.db"), ...other }),
    wrong: { ...ofEveryStore, file: 5, synchronous: "off" },
  },
  // Nothing listens where these lead: what is wrong must show before anybody is asked.
  {
    what: "openRedisStore",
    call: (other) => openRedisStore({ url: "redis://127.0.0.1:1", ...other }),
    wrong: { ...ofEveryStore, url: 5, client: {}, keyPrefix: 5, acknowledge: "all" },
  },
  {
    what: "openMongoStore",
    call: (other) => openMongoStore({ url: "mongodb://127.0.0.1:1/x", ...other }),
    wrong: { ...ofEveryStore, url: 5, client: {}, database: 5, collection: 5, writeConcern: "all" },
  },
  {
    what: "openPostgresStore",
    call: (other) => openPostgresStore({ url: "postgres://127.0.0.1:1/x", ...other }),
    wrong: { ...ofEveryStore, url: 5, client: {}, pool: {}, schema: 5, table: 5, transactionIdleTimeout: "1m" },
  },
  {
    what: "openS3Store",
    call: (other) => openS3Store({ bucket: "b", region: "x", endpoint: "http://127.0.0.1:1", ...other }),
    wrong: { ...ofEveryStore, bucket: 5, client: {}, endpoint: 5, forcePathStyle: "yes", prefix: 5, region: 5 },
  },
  {
    what: "openLocalLog",
    call: (other) => openLocalLog({ file: join(folder, "y.db"), ...other }),
    wrong: { file: 5, synchronous: "off", timeout: "5s" },
  },
  {
    what: "openKafkaLog",
    call: (other) => openKafkaLog({ brokers: ["127.0.0.1:1"], ...other }),
    wrong: {
      ...{ brokers: "127.0.0.1:1", clientId: 5, connectTimeout: "5s", isolation: "none", timeout: "5s" },
      ...{ tls: "yes", sasl: "plain" },
    },
  },
  {
    what: "testOffsetStore",
    call: (other) => testOffsetStore(noRunner, noHarness, other),
    wrong: { knownDeviations: 5, seed: "1" },
  },
  {
    what: "testStoreModel",
    call: (other) => testStoreModel(noRunner, noHarness, other),
    wrong: { runs: "25", maxCommands: "60", shrinkFor: "15s", seed: "1", path: 5 },
  },
  {
    what: "openTcpProxy",
    call: (other) => openTcpProxy({ port: 1, ...other }),
    wrong: { host: 5, port: "1" },
  },
  ...(
    [
      [memoryUrl, "memory:"],
      [sqliteUrl, "sqlite:x.db"],
      [redisUrl, "redis://127.0.0.1:1"],
      [mongoUrl, "mongodb://127.0.0.1:1/x"],
      [postgresUrl, "postgres://127.0.0.1:1/x"],
      [s3Url, "s3://b/p?region=x&endpoint=http://127.0.0.1:1"],
    ] as const
  ).map(([opener, url]) => ({
    what: `storeUrl.open("${url}")`,
    call: (other: Fields) => opener.open(url, other),
    wrong: ofEveryStore,
  })),
  ...(
    [
      [localUrl, `local:${join(tmpdir(), "tidemark-never-made.db")}`],
      [kafkaUrl, "kafka://127.0.0.1:1"],
    ] as const
  ).map(([opener, url]) => ({
    what: `logUrl.open of ${opener.usage}`,
    call: (other: Fields) => opener.open(url, other),
    wrong: { settings: 5, folder: 5 },
  })),
];

const calls: readonly Taker[] = [
  { what: "store.claim", call: (other) => store.claim([], other), wrong: onlySignal },
  {
    what: "an entry of store.claim",
    call: (other) => store.claim([{ key, token: "x", owner: "o", ...other }]),
    wrong: { key: 5, token: 5, owner: 5, member: 5, ttl: "1h", ifIdleFor: "1s" },
  },
  { what: "store.commit", call: (other) => store.commit([], other), wrong: onlySignal },
  {
    what: "an entry of store.commit",
    call: (other) => store.commit([{ key, token: "x", nextOffset: 1n, ...other }]),
    wrong: {
      ...{
        key: 5,
        token: 5,
        epoch: "1",
        nextOffset: 1,
        metadata: 5,
        mark: 5,
        acknowledged: 5,
        resetFrom: 5,
        ttl: "1h",
      },
      ...{ rewind: "yes", release: "yes", recreate: "yes", owner: 5, member: 5 },
    },
  },
  { what: "store.fetch", call: (other) => store.fetch([], other), wrong: onlySignal },
  { what: "store.list", call: (other) => first(store.list({}, other)), wrong: onlySignal },
  {
    what: "the filter of store.list",
    call: (other) => first(store.list(other)),
    wrong: { consumer: 5, topic: 5, partition: "0" },
  },
  { what: "store.reset", call: (other) => store.reset([], other), wrong: onlySignal },
  {
    what: "an entry of store.reset",
    call: (other) => store.reset([{ key, nextOffset: 1n, ...other }]),
    wrong: { key: 5, nextOffset: 1, metadata: 5, ttl: "1h" },
  },
  { what: "store.expire", call: (other) => store.expire([], other), wrong: onlySignal },
  {
    what: "an entry of store.expire",
    call: (other) => store.expire([{ key, ttl: 1000, ...other }]),
    wrong: { key: 5, ttl: "1h" },
  },
  { what: "store.delete", call: (other) => store.delete({ consumer: "x" }, other), wrong: onlySignal },
  {
    what: "the selector of store.delete",
    call: (other) => store.delete({ consumer: "x", ...other }),
    wrong: { consumer: 5, topic: 5, partition: "0" },
  },
  {
    what: "store.heartbeat",
    call: (other) => store.heartbeat(heartbeat as never, other),
    wrong: onlySignal,
  },
  {
    what: "the entry of store.heartbeat",
    call: (other) => store.heartbeat({ ...heartbeat, ...other } as never),
    wrong: { key: 5, mode: "shared", lease: "10s", owner: 5, held: "1", generation: "1", process: 5 },
  },
  { what: "store.leave", call: (other) => store.leave(member, other), wrong: onlySignal },
  { what: "store.members", call: (other) => first(store.members({}, other)), wrong: onlySignal },
  {
    what: "the filter of store.members",
    call: (other) => first(store.members(other)),
    wrong: { consumer: 5, topic: 5 },
  },
  {
    what: "store.group",
    call: (other) => store.group({ consumer: "c", topic: "t", partitions: 1 }, other),
    wrong: onlySignal,
  },
  { what: "log.partitions", call: (other) => log.partitions("t", other), wrong: onlySignal },
  {
    what: "log.fetch",
    call: (other) => log.fetch({ topic: "t", partition: 0, offset: 0n, maxBytes: 1, maxWait: 0, ...other }),
    wrong: { topic: 5, partition: "0", offset: 0, maxBytes: "1", maxWait: "5s", mark: 5, signal: {} },
  },
  { what: "log.listOffsets", call: (other) => log.listOffsets("t", [], other), wrong: onlySignal },
  {
    what: "an entry of log.listOffsets",
    call: (other) => log.listOffsets("t", [{ partition: 0, timestamp: -1, ...other }]),
    wrong: { partition: "0", timestamp: "now" },
  },
  {
    what: "log.admin.createTopic",
    call: (other) => log.admin?.createTopic("u", {}, other),
    wrong: onlySignal,
  },
  {
    what: "the config of log.admin.createTopic",
    call: (other) => log.admin?.createTopic("u", other),
    wrong: { partitions: "1", consumerTtl: "1h", retentionMs: "1h", retentionBytes: "1MB" },
  },
  { what: "log.admin.listTopics", call: (other) => log.admin?.listTopics(other), wrong: onlySignal },
  {
    what: "log.admin.describeTopic",
    call: (other) => log.admin?.describeTopic("t", other),
    wrong: onlySignal,
  },
  { what: "log.admin.alterTopic", call: (other) => log.admin?.alterTopic("t", {}, other), wrong: onlySignal },
  {
    what: "the alteration of log.admin.alterTopic",
    call: (other) => log.admin?.alterTopic("t", other),
    wrong: { partitions: "1", consumerTtl: "1h", retentionMs: "1h", retentionBytes: "1MB" },
  },
  { what: "log.admin.deleteTopic", call: (other) => log.admin?.deleteTopic("t", other), wrong: onlySignal },
  {
    what: "log.producer.produce",
    call: (other) => log.producer?.produce("t", 0, [], other),
    wrong: onlySignal,
  },
  {
    what: "a record of log.producer.produce",
    call: (other) => log.producer?.produce("t", 0, [{ value: null, ...other }]),
    wrong: { key: "k", value: "v", headers: 5, timestampMs: "now" },
  },
  {
    what: "a header of log.producer.produce",
    call: (other) =>
      log.producer?.produce("t", 0, [{ value: null, headers: [{ name: "n", value: Buffer.of(), ...other }] }]),
    wrong: { name: 5, value: "v" },
  },
  {
    what: "session.commit",
    call: (other) => session.commit({ partition: 0, offset: 0n }, other),
    wrong: { metadata: 5 },
  },
  { what: "session.flush", call: (other) => session.flush(other), wrong: onlySignal },
  { what: "session.claim", call: (other) => session.claim([0], other), wrong: onlySignal },
  { what: "session.release", call: (other) => session.release([0], other), wrong: onlySignal },
  { what: "session.startAt", call: (other) => session.startAt(0, 0n, other), wrong: { mark: 5 } },
  { what: "session.resetTo", call: (other) => session.resetTo(0, 0n, "below-log", other), wrong: { mark: 5 } },
  {
    what: "consumer.batches",
    call: (other) => first(consumer.batches(other)),
    wrong: { maxRecords: "1", linger: "1s" },
  },
  {
    what: "consumer.process",
    call: (other) => consumer.process(async () => {}, other),
    wrong: { concurrency: "2", order: "any", onError: "retry" },
  },
  {
    what: "consumer.commit",
    call: (other) => consumer.commit({ partition: 0, offset: 0n }, other),
    wrong: { metadata: 5 },
  },
  { what: "consumer.flush", call: (other) => consumer.flush(other), wrong: onlySignal },
];

const heartbeat = { key: member, mode: "balanced", lease: 10_000, owner: "o", held: 0 };

async function first(iterable: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of iterable) return;
}

/** What it threw or rejected with, whichever it was. */
async function refusalOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return error;
  }
}

describe.each([...factories, ...calls])("$what", ({ call, wrong }) => {
  test("refuses a name that it does not know, and says it", async () => {
    const error = await refusalOf(() => call({ strange: 1 }));
    expect(error).toBeInstanceOf(TypeError);
    expect((error as Error).message).toContain('"strange"');
  });

  test.each(Object.entries(wrong))("refuses a %s of the wrong type: %j", async (name, value) => {
    const error = await refusalOf(() => call({ [name]: value }));
    expect(error instanceof TypeError || error instanceof RangeError, String(error)).toBe(true);
    // `resetPolicy` is "the reset policy".
    expect((error as Error).message.toLowerCase().replaceAll(" ", "")).toContain(name.toLowerCase());
  });
});

describe.each<[string, (value: unknown) => unknown]>([
  ["byDuration", (value) => byDuration(value as never)],
  ["atTimestamp", (value) => atTimestamp(value as never)],
  ["offsetResetPolicyByName", (value) => offsetResetPolicyByName(value as never)],
  ["resolveOffsetResetPolicy", (value) => resolveOffsetResetPolicy(value as never)],
])("%s", (_, call) => {
  test.each([[true], [null], [{}]])("refuses %j", async (value) => {
    expect(await refusalOf(() => call(value))).toBeInstanceOf(TypeError);
  });
});
