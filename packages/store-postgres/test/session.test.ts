import { openOffsetSession } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import type { Client } from "pg";
import { expect, it, onTestFinished } from "vitest";
import { key, keysOf, openClient, openPool, openStore, positionsOf } from "./open-store.ts";

await describeWithServer("postgres", ({ url }) => {
  /** A session over two partitions that flushes only when it is told. */
  async function openSession() {
    const { store } = await openStore({ url, timeout: 5_000 });
    const { consumer, topic } = key;
    const session = await openOffsetSession({ store, consumer, topic, partitions: [0, 1], flushInterval: 600_000 });
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
