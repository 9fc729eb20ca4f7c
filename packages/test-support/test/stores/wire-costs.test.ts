import { randomBytes } from "node:crypto";
import { fileURLToPath } from "node:url";
import type { OffsetKey, OffsetStore } from "@tidemark/core";
import { openMongoStore } from "@tidemark/store-mongo";
import { openPostgresStore } from "@tidemark/store-postgres";
import { expectGenerated } from "@tidemark/test-support/documents";
import { openTcpProxy, type TcpProxy, type WireProtocolName, type WireRequest } from "@tidemark/test-support/faults";
import { describeWithServer } from "@tidemark/test-support/servers";
import { describeEachStore, type StoreBackend, testedRemoteStores, testedStores } from "@tidemark/test-support/stores";
import { describeWithTransactions, type TransactionalMongo } from "@tidemark/test-support/transaction-gateway";
import { MongoClient } from "mongodb";
import { Client } from "pg";
import { describe, expect, it } from "vitest";

const RECORDS = 10_000;
/** How the records to be listed lie: ten consumers on ten topics of a hundred partitions each. */
const TOPICS = 10;
const PARTITIONS = 100;
const DOCUMENT = fileURLToPath(new URL("../../../../docs/costs.md", import.meta.url));

/** Of MongoDB's driver: what it asks by itself, on its own connections or when one is made or left. PostgreSQL's beginning. */
const HOUSEKEEPING = new Set(["hello", "ismaster", "isMaster", "ping", "endSessions", "STARTUP"]);

const IN_TRANSACTION = "commit in a transaction of yours";
const OWN_TRANSACTION = "`transact`, besides your statements";
const WHAT = [
  "first claim of 1 partition",
  "first claim of 100 partitions",
  "first claim of 10,000 partitions",
  "flush of 1 partition",
  "flush of 100 partitions",
  "flush of 10,000 partitions",
  "renewal of 100 partitions, the first after a flush",
  "renewal of 100 partitions, each further one",
  IN_TRANSACTION,
  OWN_TRANSACTION,
  "heartbeat of a member",
  "listing of the members of a consumer and topic",
  "fetch of 100 partitions",
  "fetch of 10,000 partitions",
  "reset of 100 partitions",
  "expire of 100 partitions",
  "delete of 100 keys",
  "list of 10,000 records",
] as const;

type Costs = Record<(typeof WHAT)[number], string>;

/** Of a store without transactions. */
const NONE = "–";

const measured = new Map<string, Costs>();
const inTransaction = new Map<string, Partial<Costs>>();

describe("calls on the wire", async () => {
  await describeEachStore(testedRemoteStores, ({ name, protocol }, openBackend) => {
    it("are counted", async () => {
      const used = await withStore(openBackend, protocol, measureUse);
      const listed = await withStore(openBackend, protocol, measureListing);
      measured.set(name, { [IN_TRANSACTION]: NONE, [OWN_TRANSACTION]: NONE, ...used, ...listed } as Costs);
    });
  });

  await describeWithTransactions((mongo) => {
    it("are counted", async () => {
      inTransaction.set("mongo", await measureMongoTransaction(mongo));
    });
  });

  await describeWithServer("postgres", ({ url }) => {
    it("are counted", async () => {
      inTransaction.set("postgres", await measurePostgresTransaction(url));
    });
  });

  it("are what docs/costs.md says", async () => {
    // The others never open a connection: there is nothing to count.
    const nothing = Object.fromEntries(WHAT.map((what) => [what, "0"])) as Costs;
    measured.set("memory", { ...nothing, [IN_TRANSACTION]: NONE, [OWN_TRANSACTION]: NONE });
    measured.set("sqlite", nothing);
    const names = testedStores.map(({ name }) => name).filter((name) => measured.has(name));
    // A server that is missing here is missing in the table: then there is nothing to compare it with.
    if (names.length < testedStores.length || inTransaction.size < 2) return;
    for (const [name, costs] of inTransaction) {
      measured.set(name, { ...(measured.get(name) as Costs), ...costs });
    }
    const lines = [
      ["", ...names],
      ["---", ...names.map(() => "---")],
      ...WHAT.map((what) => [what, ...names.map((name) => measured.get(name)?.[what] ?? "")]),
    ];
    await expectGenerated(DOCUMENT, "costs", lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n"));
  });
});

type Counted = (call: () => Promise<unknown>) => Promise<string>;
type Measure = (store: OffsetStore<unknown>, counted: Counted, direct: OffsetStore<unknown>) => Promise<Partial<Costs>>;

/** Measures on a store whose every request passes a proxy; `direct` sees the same records and is not counted. */
async function withStore(
  openBackend: () => Promise<StoreBackend>,
  protocol: WireProtocolName,
  measure: Measure,
): Promise<Partial<Costs>> {
  const backend = await openBackend();
  if (backend.address === undefined) throw new TypeError("a store on a server has an address");
  const proxy = await openTcpProxy({ ...backend.address, protocol });
  const direct = await backend.open({ timeout: 60_000 });
  const store = await backend.open({ through: proxy, timeout: 60_000 });
  const counted: Counted = async (call) => {
    proxy.takeRequests();
    await call();
    return summaryOf(proxy.takeRequests());
  };
  try {
    return await measure(store, counted, direct);
  } finally {
    await store.close();
    await direct.close();
    await proxy.close();
    await backend.close();
  }
}

function keysOf(consumer: string, partitions: number): OffsetKey[] {
  return Array.from({ length: partitions }, (_, partition) => ({ consumer, topic: "orders", partition }));
}

const token = "a token";

const measureUse: Measure = async (store, counted) => {
  const claim = (keys: readonly OffsetKey[]): Promise<void> =>
    answered(store.claim(keys.map((key) => ({ key, token, owner: "o" }))), "claimed");
  const flush = (keys: readonly OffsetKey[], nextOffset?: bigint): Promise<void> => {
    const entries = keys.map((key) => ({ key, token, ...(nextOffset !== undefined && { nextOffset }) }));
    return answered(store.commit(entries), "committed");
  };
  // What is done once per connection or server, such as sending a script for the first time, is no cost of a call.
  const warm = keysOf("warm", 2);
  await claim(warm);
  await flush(warm, 1n);
  await answered(store.fetch(warm), "found");

  const reset = (keys: readonly OffsetKey[]): Promise<void> =>
    answered(store.reset(keys.map((key) => ({ key, nextOffset: 1n }))), "reset");
  const expire = (keys: readonly OffsetKey[]): Promise<void> =>
    answered(store.expire(keys.map((key) => ({ key, ttl: 60_000 }))), "set");
  await reset(warm);
  await store.delete({ keys: warm });

  const [one, hundred, many] = [keysOf("one", 1), keysOf("hundred", 100), keysOf("many", RECORDS)];
  const costs = {
    "first claim of 1 partition": await counted(() => claim(one)),
    "first claim of 100 partitions": await counted(() => claim(hundred)),
    "first claim of 10,000 partitions": await counted(() => claim(many)),
    "flush of 1 partition": await counted(() => flush(one, 1n)),
    "flush of 100 partitions": await counted(() => flush(hundred, 1n)),
    "flush of 10,000 partitions": await counted(() => flush(many, 1n)),
    "renewal of 100 partitions, the first after a flush": await counted(() => flush(hundred)),
    "renewal of 100 partitions, each further one": await counted(() => flush(hundred)),
    "fetch of 100 partitions": await counted(() => answered(store.fetch(hundred), "found")),
    "fetch of 10,000 partitions": await counted(() => answered(store.fetch(many), "found")),
  };
  const calls = /^1 \(\w+\)$/u;
  for (const partitions of ["1 partition", "100 partitions", "10,000 partitions"] as const) {
    expect(costs[`flush of ${partitions}`], partitions).toMatch(calls);
  }
  // The next flush costs what the first did.
  expect(await counted(() => flush(one, 2n))).toBe(costs["flush of 1 partition"]);
  expect(await counted(() => flush(hundred, 2n))).toBe(costs["flush of 100 partitions"]);
  expect(await counted(() => flush(many, 2n))).toBe(costs["flush of 10,000 partitions"]);
  const member = { consumer: "hundred", topic: "orders", member: "m" };
  const heartbeat = (): Promise<void> =>
    store.heartbeat({ key: member, mode: "balanced", lease: 10_000, owner: "o", held: 100 });
  await heartbeat();
  return {
    ...costs,
    "heartbeat of a member": await counted(heartbeat),
    "listing of the members of a consumer and topic": await counted(async () => {
      const { consumer, topic } = member;
      expect(await Array.fromAsync(store.members({ consumer, topic }))).toHaveLength(1);
    }),
    "reset of 100 partitions": await counted(() => reset(hundred)),
    "expire of 100 partitions": await counted(() => expire(hundred)),
    "delete of 100 keys": await counted(async () => {
      expect(await store.delete({ keys: hundred })).toHaveLength(hundred.length);
    }),
  };
};

/** What the store's own transaction costs on a connection that is open already. */
async function measureOwnTransaction(
  store: OffsetStore<unknown>,
  key: OffsetKey,
  proxy: Pick<TcpProxy, "takeRequests">,
): Promise<string> {
  const transact = (from: bigint) => store.transact?.({ key, token, from, nextOffset: from + 1n }, () => undefined);
  await transact(1n);
  proxy.takeRequests();
  expect(await transact(2n)).toMatchObject({ status: "committed" });
  return summaryOf(proxy.takeRequests());
}

/** What the store adds to a transaction, whatever the caller writes in it. */
async function measureMongoTransaction({ url }: TransactionalMongo): Promise<Partial<Costs>> {
  const { hostname, port } = new URL(url);
  await using proxy = await openTcpProxy({ host: hostname, port: Number(port), protocol: "mongo" });
  await using client = new MongoClient(`mongodb://${proxy.host}:${proxy.port}/?directConnection=true`);
  const database = `costs-${randomBytes(6).toString("hex")}`;
  try {
    await using store = await openMongoStore({ client, database, timeout: 60_000 });
    const [key] = keysOf("one", 1) as [OffsetKey];
    await answered(store.claim([{ key, token, owner: "o" }]), "claimed");
    const costs = await client.withSession((session) =>
      session.withTransaction(async () => {
        await client.db(database).collection("results").insertOne({}, { session });
        proxy.takeRequests();
        await answered(store.commit([{ key, token, nextOffset: 1n }], { transaction: session }), "committed");
        return summaryOf(proxy.takeRequests());
      }),
    );
    return { [IN_TRANSACTION]: costs, [OWN_TRANSACTION]: await measureOwnTransaction(store, key, proxy) };
  } finally {
    await client.db(database).dropDatabase();
  }
}

/** The same in PostgreSQL. */
async function measurePostgresTransaction(url: string): Promise<Partial<Costs>> {
  const { hostname, port } = new URL(url);
  await using proxy = await openTcpProxy({ host: hostname, port: Number(port), protocol: "postgres" });
  const through = new URL(url);
  through.host = `${proxy.host}:${proxy.port}`;
  const client = new Client({ connectionString: through.href });
  await client.connect();
  try {
    const namespace = `costs-${randomBytes(6).toString("hex")}`;
    await using store = await openPostgresStore({ url: through.href, namespace });
    const [key] = keysOf("one", 1) as [OffsetKey];
    await answered(store.claim([{ key, token, owner: "o" }]), "claimed");
    await client.query("BEGIN");
    proxy.takeRequests();
    await answered(store.commit([{ key, token, nextOffset: 1n }], { transaction: client }), "committed");
    const costs = summaryOf(proxy.takeRequests());
    await client.query("COMMIT");
    const own = await measureOwnTransaction(store, key, proxy);
    await store.delete({ keys: [key] });
    return { [IN_TRANSACTION]: costs, [OWN_TRANSACTION]: own };
  } finally {
    await client.end();
  }
}

const measureListing: Measure = async (store, counted, direct) => {
  const many = Array.from({ length: RECORDS }, (_, index) => ({
    key: {
      consumer: `c${Math.floor(index / PARTITIONS / TOPICS)}`,
      topic: `t${Math.floor(index / PARTITIONS) % TOPICS}`,
      partition: index % PARTITIONS,
    },
    nextOffset: BigInt(index),
  }));
  await answered(direct.reset(many), "reset");
  const listing = async (): Promise<void> => {
    const records = new Set<string>();
    for await (const { consumer, topic, partition } of store.list()) records.add(`${consumer} ${topic} ${partition}`);
    expect(records.size).toBe(RECORDS);
  };
  await listing();
  return { "list of 10,000 records": await counted(listing) };
};

async function answered(outcomes: Promise<readonly { readonly status: string }[]>, status: string): Promise<void> {
  expect([...new Set((await outcomes).map((outcome) => outcome.status))]).toEqual([status]);
}

/** How many requests, and which. */
function summaryOf(requests: readonly WireRequest[]): string {
  const counts = new Map<string, number>();
  for (const { name, target } of requests) {
    if (HOUSEKEEPING.has(name)) continue;
    const isListing = name === "GET" && target.includes("list-type=2");
    const shown = isListing ? "ListObjectsV2" : name;
    counts.set(shown, (counts.get(shown) ?? 0) + 1);
  }
  const total = [...counts.values()].reduce((sum, some) => sum + some, 0);
  const kinds = [...counts].map(([name, some]) => (some === 1 ? name : `${some} ${name}`)).toSorted();
  return total === 0 ? "0" : `${total} (${kinds.join(", ")})`;
}
