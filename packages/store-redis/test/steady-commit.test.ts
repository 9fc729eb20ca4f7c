import { randomInt } from "node:crypto";
import type { CommitEntry, OffsetStore } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";

const MAX = 2n ** 63n - 1n;
const OFFSETS = [0n, 1n, 9n, 10n, 99n, 100n, 2n ** 53n, 2n ** 53n + 1n, MAX - 1n, MAX];
const TEXTS = [undefined, undefined, "", "a;b", ";7", "ö\n\0", "1;2;3;4"];
/** Some are as long as others: what a record looks like up to its position is then told by its bytes alone. */
const TOKENS = ["token", "nekot", "tok;en", "ü"];
const TTLS = [undefined, undefined, null, 3_600_000, 7_200_000];

await describeWithServer("redis", (server) => {
  async function setUp() {
    const namespace = `steady-${crypto.randomUUID()}`;
    const client = createClient({ url: server.url });
    client.on("error", () => undefined);
    await client.connect();
    const store = await openRedisStore({ client, namespace });
    const general = await openRedisStore({ client, namespace: `${namespace}-general` });
    onTestFinished(async () => {
      await Promise.all([store.close(), general.close()]);
      const keys = await client.keys(`tidemark:{${namespace}*`);
      if (keys.length > 0) await client.del(keys);
      client.destroy();
    });
    return {
      client,
      store,
      general,
      hash: `tidemark:{${namespace}/c/t}`,
      other: `tidemark:{${namespace}-general/c/t}`,
    };
  }
  const key = { consumer: "c", topic: "t", partition: 0 };
  const keys = [0, 1, 2, 3].map((partition) => ({ ...key, partition }));
  const pick = <Item>(items: readonly Item[]): Item => items[randomInt(items.length)] as Item;

  it("answers and writes as the rest of the script and the store in memory do", async () => {
    const { client, store, general, hash, other } = await setUp();
    const memory = createMemoryStore();
    const stores: readonly OffsetStore<never>[] = [store, general, memory];
    const seen = new Set<string>();
    for (let step = 0; step < 400; step += 1) {
      if (step % 12 === 0) {
        const claims = keys.map((each) => ({
          key: each,
          token: pick(TOKENS),
          owner: pick(["o", "p", "o;1"]),
          ttl: pick(TTLS),
        }));
        if (step % 24 === 0) await Promise.all(stores.map((each) => each.claim(claims)));
        else await Promise.all(stores.map((each) => each.claim(claims.map((claim) => ({ ...claim, token: "token" })))));
      }
      if (step % 50 === 49) {
        const reset = { key: pick(keys), nextOffset: pick(OFFSETS.slice(0, 6)) };
        await Promise.all(stores.map((each) => each.reset([reset])));
      }
      if (step % 70 === 69) await Promise.all(stores.map((each) => each.delete({ keys })));
      const metadata = pick(TEXTS);
      const nextOffset = pick(OFFSETS.slice(0, 3 + Math.floor(step / 50)));
      const entries = keys.slice(randomInt(keys.length)).map((each): CommitEntry => ({
        key: each,
        token: randomInt(8) === 0 ? pick(TOKENS) : "token",
        ...(randomInt(12) > 0 && { nextOffset: randomInt(4) === 0 ? pick(OFFSETS) : nextOffset, metadata }),
      }));
      const said = await Promise.all([
        store.commit(entries),
        // To go on under the same token changes nothing, but is an option.
        general.commit(entries.map((entry) => ({ ...entry, nextToken: entry.token }))),
        memory.commit(entries),
      ]);
      const found = await Promise.all(stores.map((each) => each.fetch(keys)));
      for (const outcome of said[0]) seen.add(outcome.status === "fenced" ? outcome.reason : outcome.status);
      expect([timeless(said[0]), timeless(found[0] ?? [])]).toEqual([timeless(said[2]), timeless(found[2] ?? [])]);
      expect([timeless(said[1]), timeless(found[1] ?? [])]).toEqual([timeless(said[2]), timeless(found[2] ?? [])]);
      const [quick, slow] = await Promise.all([client.hGetAll(hash), client.hGetAll(other)]);
      expect(masked(quick)).toEqual(masked(slow));
      expect(Math.sign(await client.pExpireTime(hash))).toBe(Math.sign(await client.pExpireTime(other)));
    }
    expect([...seen].toSorted()).toEqual(["absent", "behind", "committed", "reset", "superseded"]);
  });

  it("refuses a damaged record, whatever in it is damaged, and leaves it as it is", async () => {
    const { client, store, hash } = await setUp();
    const sound = { ...key, partition: 1 };
    for (const ttl of [undefined, 3_600_000]) {
      await store.claim([key, sound].map((each) => ({ key: each, token: "token", owner: "owner", ttl: ttl ?? null })));
      for (const nextOffset of [7n, 8n]) {
        await store.commit([key, sound].map((each) => ({ key: each, token: "token", nextOffset, metadata: "text" })));
      }
      const record = (await client.hGet(hash, "0")) ?? "";
      const damages = damaged(record, ttl !== undefined);
      expect(damages.length).toBeGreaterThan(40);
      for (const [index, value] of damages.entries()) {
        await client.hSet(hash, "0", value);
        const order = index % 2 === 0 ? [key, sound] : [sound, key];
        const outcomes = await store.commit(
          order.map((each) => ({ key: each, token: "token", nextOffset: MAX, metadata: "text" })),
        );
        const [outcome, beside] = index % 2 === 0 ? outcomes : outcomes.toReversed();
        expect(outcome, value).toMatchObject({ status: "failed", error: { code: "CORRUPT_RECORD" } });
        expect(beside).toEqual({ status: "committed" });
        expect(await store.fetch([key]), value).toMatchObject([
          { status: "failed", error: { code: "CORRUPT_RECORD" } },
        ]);
        expect(await client.hGet(hash, "0")).toBe(value);
      }
      await store.delete({ keys: [key, sound] });
    }
  });

  it("does not bring back a record that expired", async () => {
    const { store } = await setUp();
    const lasting = { ...key, partition: 1 };
    await store.claim([{ key: lasting, token: "token", owner: "o" }]);
    await store.claim([{ key, token: "token", owner: "o", ttl: 50 }]);
    await store.commit([key, lasting].map((each) => ({ key: each, token: "token", nextOffset: 1n })));
    await expect.poll(async () => store.fetch([key]), { interval: 5 }).toMatchObject([{ status: "absent" }]);
    const outcomes = await store.commit([key, lasting].map((each) => ({ key: each, token: "token", nextOffset: 2n })));
    expect(outcomes).toEqual([{ status: "fenced", reason: "absent" }, { status: "committed" }]);
  });

  it("keeps the hash exactly as long as its latest record", async () => {
    const { client, store, hash } = await setUp();
    const entries = keys.map((each, index) => ({
      key: each,
      token: "token",
      owner: "o",
      ttl: 600_000 - 100_000 * index,
    }));
    await store.claim(entries);
    for (let nextOffset = 1n; nextOffset < 20n; nextOffset += 1n) {
      const some = keys.slice(randomInt(keys.length));
      await store.commit(some.map((each) => ({ key: each, token: "token", nextOffset })));
      const records = await store.fetch(keys);
      const times = records.map((outcome) => (outcome.status === "found" ? Number(outcome.record.expiresAt) : 0));
      expect(await client.pExpireTime(hash)).toBe(Math.max(...times));
    }
    await store.expire([{ key, ttl: null }]);
    await store.commit(keys.map((each) => ({ key: each, token: "token", nextOffset: 30n })));
    expect(await client.pExpireTime(hash)).toBe(-1);
    await store.expire(keys.map((each) => ({ key: each, ttl: 40 })));
    await store.commit(keys.map((each) => ({ key: each, token: "token", nextOffset: 31n })));
    await expect.poll(async () => (await client.keys(hash)).length, { timeout: 5_000 }).toBe(0);
  });

  function timeless(outcomes: readonly { readonly status: string }[]): unknown {
    return outcomes.map((outcome) => {
      const { record, ...rest } = outcome as { record?: object };
      return record === undefined ? rest : { ...rest, record: withoutTimes(record as Record<string, unknown>) };
    });
  }

  function withoutTimes(record: Record<string, unknown>): Record<string, unknown> {
    const times = ["claimedAt", "committedAt", "expiresAt"].map((name) => [name, record[name] !== undefined]);
    return { ...record, ...Object.fromEntries(times) };
  }

  /** Times differ by what passes between two commands. */
  function masked(fields: Record<string, string>): Record<string, string> {
    return Object.fromEntries(
      Object.entries(fields).map(([field, value]) => [field, value.replaceAll(/(?<=;)\d{13}(?=;)/gu, "T")]),
    );
  }

  /** `1;COMMITTED_AT;EXPIRES_AT;TTL;CLAIMED_AT;TOKEN_BYTES;OWNER_BYTES;METADATA_BYTES;texts;NEXT_OFFSET`, each damaged. */
  function damaged(record: string, hasTtl: boolean): string[] {
    const parts = record.split(";");
    const at = (index: number, part: string): string => parts.with(index, part).join(";");
    const anywhere = parts.flatMap((part, index) => [
      at(index, `${part}x`),
      at(index, `-${part}1`),
      at(index, ` ${part}`),
    ]);
    const sizes = [5, 6, 7].flatMap((index) => {
      const size = Number(parts[index]);
      return [size - 1, size + 1, 0, 1e15, "", "9".repeat(400)].map((wrong) => at(index, String(wrong)));
    });
    const times = hasTtl
      ? [at(2, ""), at(3, ""), at(2, "0".repeat(16)), at(3, "0".repeat(14) + "60")]
      : [at(2, "1"), at(3, "1")];
    const offsets = ["007", "00", String(MAX + 1n), "9".repeat(40), "1.5", "8;"].map((wrong) => at(9, wrong));
    return [
      ...anywhere,
      ...sizes,
      ...times,
      ...offsets,
      record.slice(0, record.lastIndexOf(";")),
      "",
      "1;",
      `${record}\n`,
    ];
  }
});
