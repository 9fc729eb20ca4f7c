import { openOffsetSession } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import type { Client } from "pg";
import { expect, it, onTestFinished, vi } from "vitest";
import { key, keysOf, openClient, openPool, openStore, positionsOf } from "./open-store.ts";

await describeWithServer("postgres", ({ url }) => {
  /** A session over two partitions that flushes only when it is told. */
  async function openSession(renewals: { readonly ttl?: number; readonly renewInterval?: number } = {}) {
    const { store } = await openStore({ url, timeout: 5_000 });
    const { consumer, topic } = key;
    const session = await openOffsetSession({
      ...{ store, consumer, topic, partitions: [0, 1], flushInterval: 600_000, ...renewals },
    });
    onTestFinished(() => session.close());
    return { store, session };
  }

  async function begin(): Promise<Client> {
    const transaction = await openClient(url);
    await transaction.query("BEGIN");
    return transaction;
  }

  it("flushes while its own transaction is open, and the transaction goes on to what was flushed: no deadlock", async () => {
    const { store, session } = await openSession();
    for (let offset = 0n; offset < 5n; offset += 1n) {
      const transaction = await begin();
      await session.commitWithin(transaction, { partition: 1, offset });
      // The flush would write the first, and wait for the second, for which the transaction would then wait.
      session.commit({ partition: 0, offset: offset * 2n });
      session.commit({ partition: 1, offset });
      const flushing = session.flush();
      await session.commitWithin(transaction, { partition: 0, offset: offset * 2n + 1n });
      await transaction.query("COMMIT");
      session.commit({ partition: 0, offset: offset * 2n + 1n });
      session.commit({ partition: 1, offset });
      await flushing;
      await session.flush();
      expect(await positionsOf(store, keysOf(2))).toEqual([offset * 2n + 2n, offset + 1n]);
    }
  });

  it("renews the others while a transaction is open, and its own partition once it is over, told or not: the position never goes back", async () => {
    const { store, session } = await openSession({ ttl: 3_600_000, renewInterval: 20 });
    const [own, other] = keysOf(2);
    if (own === undefined || other === undefined) throw new Error("two keys were asked for");
    const recordOf = async (each: typeof own) => {
      const [found] = await store.fetch([each]);
      if (found?.status !== "found") throw new Error(`the record is ${found?.status}`);
      return found.record;
    };
    const renewed = async (each: typeof own, times: number) => {
      for (let count = 0; count < times; count += 1) {
        const { updatedAt } = await recordOf(each);
        await expect.poll(async () => (await recordOf(each)).updatedAt).not.toEqual(updatedAt);
      }
    };
    session.commit({ partition: 0, offset: 3n });
    await session.flush();
    const transaction = await begin();
    await session.commitWithin(transaction, { partition: 0, offset: 9n });
    // Its own row is locked: nothing but the transaction writes it from here on, and nothing tries to.
    const before = await recordOf(own);
    const commit = vi.spyOn(store, "commit");
    await renewed(other, 3);
    const written = commit.mock.calls.flatMap(([entries]) => entries.map(({ key: { partition } }) => partition));
    expect(new Set(written)).toEqual(new Set([other.partition]));
    commit.mockRestore();
    expect(await recordOf(own)).toMatchObject({ nextOffset: 4n, updatedAt: before.updatedAt });
    await transaction.query("COMMIT");
    await renewed(other, 3);
    expect(await recordOf(own)).toMatchObject({ nextOffset: 10n });
    // Nobody tells the session that it is over; it remembers what it has flushed itself, and something less that was done.
    session.commit({ partition: 0, offset: 5n });
    const now = performance.now.bind(performance);
    vi.spyOn(performance, "now").mockImplementation(() => now() + 61_000);
    onTestFinished(() => void vi.restoreAllMocks());
    for (let count = 0; count < 3; count += 1) {
      await session.flush();
      await renewed(own, 1);
      expect(await recordOf(own)).toMatchObject({ nextOffset: 10n });
    }
    session.commit({ partition: 0, offset: 10n });
    await session.flush();
    expect(await recordOf(own)).toMatchObject({ nextOffset: 11n });
  });

  it("goes on flushing and renewing while handlers hold every connection of their pool", async () => {
    const { store, session } = await openSession();
    const pool = openPool(url, { max: 2 });
    const held = [await pool.connect(), await pool.connect()];
    for (const client of held) await client.query("BEGIN");
    session.commit({ partition: 0, offset: 4n });
    await session.flush();
    expect(await positionsOf(store, [key])).toEqual([5n]);
    for (const client of held) {
      await client.query("ROLLBACK");
      client.release();
    }
  });
});
