import { setTimeout as pause } from "node:timers/promises";
import { OffsetStoreError, openOffsetSession, type OffsetSessionEvent } from "@tidemark/core";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { launchOrSkip } from "@tidemark/test-support/servers";
import { Client } from "pg";
import { expect, it, onTestFinished } from "vitest";
import { openPostgresStore } from "../src/index.ts";

const WRITES_BEFORE = 200;
/** What a server must answer within. */
const PATIENCE = { connectionTimeoutMillis: 60_000, query_timeout: 120_000 };
const key = { consumer: "c1", topic: "orders", partition: 0 };
const other = { ...key, partition: 1 };

it("goes on with the standby that is promoted in its primary's place: nothing is lost, and no claim", async ({
  skip,
}) => {
  const pair = await launchOrSkip("postgres-pair", skip);
  onTestFinished(() => pair.stop());
  const [primary, standby] = pair.nodes;
  if (primary === undefined || standby === undefined) throw new Error("a pair has two nodes");
  const portOf = (url: string) => Number(new URL(url).port);
  // What every way of failing over comes to: the same address leads elsewhere.
  let port = portOf(primary.url);
  await using proxy = await openTcpProxy({
    get port() {
      return port;
    },
  });
  const url = new URL(primary.url);
  url.port = String(proxy.port);
  const setUp = new Client({ connectionString: primary.url, ...PATIENCE });
  await setUp.connect();
  await setUp.query("CREATE TABLE results (number integer)");
  await setUp.end();

  await using store = await openPostgresStore({ url: url.href, timeout: 10_000 });
  const transact = store.transact?.bind(store);
  if (transact === undefined) throw new Error("a store with a url begins transactions");
  await store.claim([{ key, token: "t", owner: "o" }]);
  const events: OffsetSessionEvent[] = [];
  const session = await openOffsetSession({
    ...{ store, consumer: "c1", topic: "orders", partitions: [1], flushInterval: 50 },
    onEvent: (event) => events.push(event),
  });
  onTestFinished(() => session.close().catch(() => undefined));
  const write = (from: bigint) =>
    transact({ key, token: "t", from, nextOffset: from + 1n }, async (transaction) => {
      await transaction.query("INSERT INTO results VALUES ($1)", [Number(from)]);
    });

  // The primary dies in the middle of one of many.
  let stored = 0n;
  const writing = (async () => {
    for (;;) {
      await write(stored);
      stored += 1n;
    }
  })();
  const failure = writing.catch((error: unknown) => error);
  await expect.poll(() => stored, { timeout: 60_000 }).toBeGreaterThan(WRITES_BEFORE);
  session.commit({ partition: 1, offset: 6n });
  await session.flush();
  await pause(Math.random() * 10);
  await primary.kill();
  const error = await failure;
  if (error instanceof OffsetStoreError) {
    expect(error.code).toMatch(/^(?:UNAVAILABLE|TIMEOUT)$/u);
    // It may be tried again unless the answer to the commit itself is missing: then the error says so.
    if (!error.retryable) expect(error.message).toContain("it is not known whether the transaction");
  } else {
    // What the user's own statement met passes as it is.
    expect(String(error)).toMatch(/connection|ECONN/iu);
  }
  session.commit({ partition: 1, offset: 7n });
  await expect(store.fetch([key])).rejects.toMatchObject({ code: "UNAVAILABLE", retryable: true });

  // A standby answers who reads and refuses who writes.
  port = portOf(standby.url);
  const [position] = await store.fetch([other]);
  expect(position).toMatchObject({ status: "found", record: { nextOffset: 7n } });
  // Beyond the one that the primary died in: that may be stored.
  const refused = store.commit([{ key, token: "t", nextOffset: stored + 2n }]);
  await expect(refused).rejects.toMatchObject({ code: "UNAVAILABLE", retryable: true });
  await expect(refused).rejects.toThrow("the server is read-only");
  await expect.poll(() => events.map(({ type }) => type)).toContain("flush-failed");

  const promoted = new Client({ connectionString: standby.url, ...PATIENCE });
  await promoted.connect();
  onTestFinished(() => promoted.end());
  await promoted.query("SELECT pg_promote()");
  await session.flush();
  expect(await store.fetch([other])).toMatchObject([{ record: { nextOffset: 8n } }]);
  // What was answered is there, once each, and what the primary died in is there with its position or not at all.
  const [found] = await store.fetch([key]);
  if (found?.status !== "found" || found.record.nextOffset === undefined) throw new Error("the position is gone");
  expect([stored, stored + 1n]).toContain(found.record.nextOffset);
  stored = found.record.nextOffset;
  for (let count = 0; count < 20; count += 1) {
    await write(stored);
    stored += 1n;
  }
  const { rows } = await promoted.query<{ number: number }>("SELECT number FROM results ORDER BY number");
  expect(rows.map(({ number }) => number)).toEqual(Array.from({ length: Number(stored) }, (_, number) => number));
  expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: stored, owner: "o" } }]);
  expect(events.filter(({ type }) => type === "fenced")).toEqual([]);
});
