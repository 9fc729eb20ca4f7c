import { fileURLToPath } from "node:url";
import type { OffsetKey, OffsetStore } from "@tidemark/core";
import { expectGenerated } from "@tidemark/test-support/documents";
import { openTcpProxy, type WireProtocolName, type WireRequest } from "@tidemark/test-support/faults";
import { describeEachStore, type StoreBackend, testedRemoteStores, testedStores } from "@tidemark/test-support/stores";
import { describe, expect, it } from "vitest";

const RECORDS = 10_000;
/** How the records to be listed lie: ten consumers on ten topics of a hundred partitions each. */
const TOPICS = 10;
const PARTITIONS = 100;
const DOCUMENT = fileURLToPath(new URL("../../../../docs/costs.md", import.meta.url));

/** Of MongoDB's driver: what it asks by itself, on its own connections or when one is made or left. */
const HOUSEKEEPING = new Set(["hello", "ismaster", "isMaster", "ping", "endSessions"]);

const WHAT = [
  "first claim of 1 partition",
  "first claim of 100 partitions",
  "flush of 1 partition",
  "flush of 100 partitions",
  "renewal of 100 partitions",
  "fetch of 100 partitions",
  "list of 10,000 records",
] as const;

type Costs = Record<(typeof WHAT)[number], string>;

const measured = new Map<string, Costs>();

describe("calls on the wire", async () => {
  await describeEachStore(testedRemoteStores, ({ name, protocol }, openBackend) => {
    it("are counted", { timeout: 120_000 }, async () => {
      const used = await withStore(openBackend, protocol, measureUse);
      const listed = await withStore(openBackend, protocol, measureListing);
      measured.set(name, { ...used, ...listed } as Costs);
    });
  });

  it("are what docs/costs.md says", async () => {
    // The others never open a connection: there is nothing to count.
    for (const { name, server } of testedStores) {
      if (server === undefined) measured.set(name, Object.fromEntries(WHAT.map((what) => [what, "0"])) as Costs);
    }
    const names = testedStores.map(({ name }) => name).filter((name) => measured.has(name));
    // A server that is missing here is missing in the table: then there is nothing to compare it with.
    if (names.length < testedStores.length) return;
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

const measureUse: Measure = async (store, counted) => {
  const keysOf = (consumer: string, partitions: number): OffsetKey[] =>
    Array.from({ length: partitions }, (_, partition) => ({ consumer, topic: "orders", partition }));
  const token = "a token";
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

  const [one, hundred] = [keysOf("one", 1), keysOf("hundred", 100)];
  const costs = {
    "first claim of 1 partition": await counted(() => claim(one)),
    "first claim of 100 partitions": await counted(() => claim(hundred)),
    "flush of 1 partition": await counted(() => flush(one, 1n)),
    "flush of 100 partitions": await counted(() => flush(hundred, 1n)),
    "renewal of 100 partitions": await counted(() => flush(hundred)),
    "fetch of 100 partitions": await counted(() => answered(store.fetch(hundred), "found")),
  };
  // The next flush costs what the first did.
  expect(await counted(() => flush(one, 2n))).toBe(costs["flush of 1 partition"]);
  expect(await counted(() => flush(hundred, 2n))).toBe(costs["flush of 100 partitions"]);
  return costs;
};

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
