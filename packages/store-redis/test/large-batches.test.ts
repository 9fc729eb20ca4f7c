import type { OffsetKey, OffsetStore } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";

const token = "t";
const owner = "o";

await describeWithServer("redis", ({ url }) => {
  /** A store, and how many commands it sends while something is done. */
  async function watchedStore() {
    const client = await createClient({ url }).connect();
    let sent = 0;
    const watched = Object.create(client, {
      sendCommand: {
        value: (...given: Parameters<typeof client.sendCommand>) => {
          sent += 1;
          return client.sendCommand(...given);
        },
      },
    }) as typeof client;
    const namespace = `batches-${crypto.randomUUID()}`;
    const store = await openRedisStore({ client: watched, namespace });
    onTestFinished(async () => {
      await store.close();
      await client.del(await client.keys(`tidemark:{${namespace}}*`));
      client.destroy();
    });
    // The server learns of the scripts.
    await claim(store, keysOf(1, "warm"));
    await store.commit([{ key: { consumer: "c", topic: "warm", partition: 0 }, token, nextOffset: 1n }]);
    const commandsOf = async (work: () => Promise<unknown>): Promise<number> => {
      sent = 0;
      await work();
      return sent;
    };
    return { client, namespace, store, commandsOf };
  }

  const keysOf = (count: number, topic = "t"): OffsetKey[] =>
    Array.from({ length: count }, (_, partition) => ({ consumer: "c", topic, partition }));

  const claim = async (store: OffsetStore, keys: readonly OffsetKey[]): Promise<void> => {
    const outcomes = await store.claim(keys.map((key) => ({ key, token, owner })));
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["claimed"]));
  };

  const flush = async (store: OffsetStore, keys: readonly OffsetKey[], more: object): Promise<void> => {
    const outcomes = await store.commit(
      keys.map((key) => ({ key, token, nextOffset: BigInt(key.partition), ...more })),
    );
    expect(new Set(outcomes.map(({ status }) => status))).toEqual(new Set(["committed"]));
  };

  // A command of a script takes 4,000 values, fields and their texts counted singly.
  it.each([1, 100, 1_999, 2_000, 2_001, 4_000, 4_001, 10_000])(
    "%d entries: one script a flush, two a claim",
    async (count) => {
      const { client, namespace, store, commandsOf } = await watchedStore();
      const keys = keysOf(count);
      expect(await commandsOf(() => claim(store, keys))).toBe(2);
      expect(await client.zCard(`tidemark:{${namespace}}`)).toBe(count + 1);
      expect(await commandsOf(() => flush(store, keys, {}))).toBe(1);
      expect(await commandsOf(() => flush(store, keys, { metadata: "m", ttl: 3_600_000 }))).toBe(1);
      const fetched = await store.fetch(keys);
      for (const [at, outcome] of fetched.entries()) {
        expect(outcome).toMatchObject({ record: { partition: at, nextOffset: BigInt(at), metadata: "m" } });
      }
      expect(await commandsOf(() => store.fetch(keys))).toBe(1);
      expect(await commandsOf(() => store.delete({ keys }))).toBe(2);
      expect(await client.keys(`tidemark:{${namespace}}:c/t`)).toEqual([]);
      expect(await client.zCard(`tidemark:{${namespace}}`)).toBe(1);
    },
  );

  it.each([1, 5_000, 9_999])("writes none of 10,000 where the one of partition %d is another's", async (partition) => {
    const { client, namespace, store } = await watchedStore();
    const other = await openRedisStore({ url, namespace });
    onTestFinished(() => other.close());
    const keys = keysOf(10_000);
    await claim(store, keys);
    const taken = { consumer: "c", topic: "t", partition };
    await other.claim([{ key: taken, token: "another's", owner: "other" }]);
    const before = await client.hGet(`tidemark:{${namespace}}:c/t`, String(partition));
    const outcomes = await store.commit(keys.map((key) => ({ key, token, nextOffset: 7n })));
    for (const [at, outcome] of outcomes.entries()) {
      const expected = at === partition ? { status: "fenced", owner: "other" } : { status: "committed" };
      expect(outcome).toMatchObject(expected);
    }
    expect(await client.hGet(`tidemark:{${namespace}}:c/t`, String(partition))).toBe(before);
  });
});
