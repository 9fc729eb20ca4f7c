import { randomInt } from "node:crypto";
import type { Change, DriverKey } from "@tidemark/core/driver";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { connectionOf } from "../src/redis-connection.ts";
import { RedisDriver } from "../src/redis-driver.ts";

const LIVES = [null, 60_000, 600_000, 3_600_000];
const PARTITIONS = 6;

await describeWithServer("redis", (server) => {
  async function setUp() {
    const namespace = `expiry-${crypto.randomUUID()}`;
    const client = await createClient({ url: server.url }).connect();
    const connection = connectionOf(client);
    if (connection === undefined) throw new Error("a client is one");
    const driver = new RedisDriver({ connection, namespace, keyPrefix: "", wait: undefined, close: async () => {} });
    onTestFinished(async () => {
      const keys = await client.keys(`tidemark:{${namespace}}*`);
      if (keys.length > 0) await client.del(keys);
      client.destroy();
    });
    const signal = new AbortController().signal;
    const write = (changes: readonly Change[]) => driver.write(changes, { signal });
    return { client, driver, write, signal, hash: `tidemark:{${namespace}}:c/t`, index: `tidemark:{${namespace}}` };
  }
  const keyOf = (partition: number): DriverKey => ({ consumer: "c", topic: "t", partition });
  const version = (): string => `v${String(randomInt(2 ** 47)).padStart(11, "0")}`.slice(0, 12);
  const put = (key: DriverKey, expected: string | null, reclaimAfter: number | null | undefined): Change => ({
    key,
    expected: [expected],
    value: "{}",
    version: version(),
    reclaimAfter,
  });

  it("never lets a hash go before the last of its records may go, whatever is written in whatever order", async () => {
    const { client, write, hash } = await setUp();
    /** What is stored: its version, and when it may go. */
    const stored = new Map<number, { version: string; until: number }>();
    let mortal = 0;
    for (let step = 0; step < 600; step += 1) {
      const changes: Change[] = [];
      for (let partition = 0; partition < PARTITIONS; partition += 1) {
        if (randomInt(3) === 0 && step % 7 !== 0) continue;
        const before = stored.get(partition);
        const life = step % 7 === 0 ? LIVES[1 + randomInt(3)] : LIVES[randomInt(LIVES.length)];
        const canStay = before !== undefined && before.until === Infinity;
        const change = put(
          keyOf(partition),
          before?.version ?? null,
          canStay && randomInt(2) === 0 && step % 7 !== 0 ? undefined : life,
        );
        changes.push(randomInt(10) === 0 && before !== undefined ? { ...change, value: undefined } : change);
      }
      if (changes.length === 0) continue;
      const now = Date.now();
      expect((await write(changes)).changes).toBeUndefined();
      for (const { key, value, version: written, reclaimAfter } of changes) {
        const { partition } = key as { partition: number };
        if (value === undefined) stored.delete(partition);
        else stored.set(partition, { version: written, until: now + (reclaimAfter ?? Infinity) });
      }
      const latest = Math.max(...[...stored.values()].map(({ until }) => until));
      const left = await client.pTTL(hash);
      if (stored.size === 0) expect(left).toBe(-2);
      else if (latest === Infinity) expect(left).toBe(-1);
      else if (left !== -1) {
        mortal += 1;
        // By the server's clock, which is this machine's.
        expect(Date.now() + left).toBeGreaterThanOrEqual(latest - 5);
      }
    }
    expect(mortal).toBeGreaterThan(50);
  });

  it("lets a hash go with its last record where one write gave all of them a time", async () => {
    const { client, write, hash } = await setUp();
    const first = [0, 1, 2].map((partition) => put(keyOf(partition), null, null));
    await write(first);
    expect(await client.pTTL(hash)).toBe(-1);
    const second = first.map((change, at) => put(change.key, change.version, [60_000, 600_000, 1_000][at]));
    await write(second);
    expect(await client.pTTL(hash)).toBeGreaterThan(500_000);
    expect(await client.pTTL(hash)).toBeLessThan(605_000);
    // A part of them, for longer and for less: the latest counts.
    const third = second.slice(0, 2).map((change) => put(change.key, change.version, 3_600_000));
    await write(third);
    await write(third.map((change) => put(change.key, change.version, 50)));
    expect(await client.pTTL(hash)).toBeGreaterThan(3_500_000);
  });

  it("takes members back by themselves beside positions that never go, and out of the index when somebody looks", async () => {
    const { client, driver, write, signal, hash, index } = await setUp();
    const position = put(keyOf(0), null, null);
    const member: DriverKey = { consumer: "c", topic: "t", member: "m/1" };
    const group: DriverKey = { consumer: "c", topic: "t", member: "" };
    const heartbeat = (key: DriverKey, life: number): Change => ({ ...put(key, null, life), expected: "any" });
    await write([position, put(group, null, null), heartbeat(member, 3_000)]);
    await write([heartbeat(member, 3_000)]);
    const listed = async (kind: "position" | "member"): Promise<DriverKey[]> => {
      const pages = await Array.fromAsync(driver.list({ kind, consumer: "c" }, { signal }));
      return pages.flatMap(({ entries }) => entries.map(({ key }) => key));
    };
    expect(await listed("position")).toEqual([keyOf(0)]);
    expect(await listed("member")).toEqual([group, member]);
    expect(await client.hKeys(hash)).toEqual(["0"]);
    await expect.poll(async () => (await client.keys(`${index}:~c/t/m*`)).length).toBe(0);
    expect(await client.zCard(index)).toBe(3);
    expect(await listed("member")).toEqual([group]);
    expect(await client.zRange(index, 0, -1)).toEqual(["c/t/0", "~c/t//0"]);
    expect((await driver.read([member, group, keyOf(0)], { signal })).entries.map((entry) => entry?.version)).toEqual([
      undefined,
      expect.any(String),
      position.version,
    ]);
  });
});
