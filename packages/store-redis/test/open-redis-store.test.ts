import { readFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { OffsetStoreError } from "@tidemark/core";
import type { OffsetStoreEvent } from "@tidemark/core/driver";
import { describeWithServer, launchOrSkip, sharedOrSkip } from "@tidemark/test-support/servers";
import { createClient, createSentinel } from "redis";
import { describe, expect, it, onTestFinished } from "vitest";
import { openRedisStore, storeUrl } from "../src/index.ts";

const key = { consumer: "c", topic: "t", partition: 0 };

async function errorOf(opening: Promise<unknown>): Promise<OffsetStoreError> {
  const error = await opening.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OffsetStoreError))
    throw new Error(`not an OffsetStoreError: ${String(error)}`, { cause: error });
  expect(error.operation).toBe("open");
  expect(JSON.stringify([error.message, error.stack])).not.toContain("s3cret");
  return error;
}

describe("bad input", () => {
  it("is a TypeError before any I/O, and repeats no password", async () => {
    for (const url of [
      "redis://u:s3cret@h:99999",
      "redis://u:s3cret%zz@h",
      "redis://u:s3cret@h/abc",
      "redis://u:s3cret@h?clutser=true",
      "redis://u:s3cret@h?cluster=maybe",
      "redis://u:s3cret@h?cluster=true&sentinel=x",
      "redis://u:s3cret@h/1?cluster=true",
      "redis://u:s3cret@h?nodes=a:1",
      "redis://u:s3cret@h?cluster=true&nodes=x:s3cret@a:1",
      "http://u:s3cret@h",
      "s3cret",
    ]) {
      const error = await storeUrl.open(url).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(TypeError);
      expect(String((error as Error).stack)).not.toContain("s3cret");
    }
    await expect(openRedisStore({})).rejects.toThrow(TypeError);
    await expect(openRedisStore({ url: "redis://h", keyPrefix: "{a}" })).rejects.toThrow(TypeError);
    await expect(openRedisStore({ client: createClient() })).rejects.toThrow(/not connected/u);
    await expect(openRedisStore({ url: "redis://h", acknowledge: { replicas: -1 } })).rejects.toThrow(RangeError);
  });

  it("names nobody who listens: UNAVAILABLE, at once", async () => {
    const listener = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => listener.once("listening", resolve));
    const { port } = listener.address() as { port: number };
    await new Promise((resolve) => listener.close(resolve));
    for (const query of ["", "?cluster=true", "?sentinel=mymaster"]) {
      const url = `redis://u:s3cret@127.0.0.1:${port}${query}`;
      const error = await errorOf(openRedisStore({ url, timeout: 3_000 }));
      expect(error).toMatchObject({ code: "UNAVAILABLE", retryable: true });
    }
  });

  it("names a host that accepts and never answers: TIMEOUT, within the timeout", async () => {
    const listener = createServer(() => undefined).listen(0, "127.0.0.1");
    onTestFinished(() => void listener.close());
    await new Promise((resolve) => listener.once("listening", resolve));
    const { port } = listener.address() as { port: number };
    const error = await errorOf(openRedisStore({ url: `redis://u:s3cret@127.0.0.1:${port}`, timeout: 300 }));
    expect(error).toMatchObject({ code: "TIMEOUT", retryable: true });
  });
});

await describeWithServer("redis", (server) => {
  it("takes a wrong or a needless password for PERMISSION_DENIED (contract 3.3e)", async () => {
    const { host } = new URL(server.url);
    const error = await errorOf(openRedisStore({ url: `redis://nobody:s3cret@${host}` }));
    expect(error).toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
  });

  it("says that TLS is spoken to a server that speaks none", async () => {
    const { host } = new URL(server.url);
    const error = await errorOf(openRedisStore({ url: `rediss://${host}`, timeout: 3_000 }));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toMatch(/TLS/u);
  });

  it("does not advise the TLS that is on already: the client gives up before the store does", async () => {
    const { host } = new URL(server.url);
    const error = await errorOf(openRedisStore({ url: `rediss://${host}` }));
    expect(error.code).toBe("UNAVAILABLE");
    expect(error.message).toContain("either both sides speak TLS (rediss://), or neither");
  });

  it("leaves the caller's client open, and closes its own (contract 3.9d)", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    const namespace = `open-${crypto.randomUUID()}`;
    const store = await openRedisStore({ client, namespace });
    await store.claim([{ key, token: "t", owner: "o" }]);
    await store.close();
    expect(await client.ping()).toBe("PONG");
    client.destroy();
    const own = await openRedisStore({ url: server.url, namespace });
    expect(await own.fetch([key])).toMatchObject([{ status: "found" }]);
    await own.close();
    await expect(own.fetch([key])).rejects.toMatchObject({ code: "CLOSED" });
  });

  it.each([
    "redis://u:1/s3cret@h",
    "redis://u:1?s3cret@h/0",
    "redis://u:1?s3cret=2@h/0",
    "redis://u:1?s3cret&2@h/0",
    "redis://u:1?s3cret#2@h/0",
    "redis://u:s3cret%@h/0",
    "redis://u:s3cret@h/0?x",
  ])("does not repeat a password that is not percent-encoded: %s (contract 3.17)", async (url) => {
    const error: unknown = await openRedisStore({ url, timeout: 2_000 }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).not.toContain("s3cret");
  });

  it("names the command that an ACL forbids, and opens without INFO (contract 3.3e)", async () => {
    const admin = createClient({ url: server.url });
    await admin.connect();
    const user = `u${crypto.randomUUID()}`;
    onTestFinished(async () => {
      await admin.sendCommand(["ACL", "DELUSER", user]);
      admin.destroy();
    });
    await admin.sendCommand(["ACL", "SETUSER", user, "on", ">s3cret", "~*", "+@all", "-info", "-hset"]);
    const { host } = new URL(server.url);
    await using store = await openRedisStore({ url: `redis://${user}:s3cret@${host}`, namespace: user });
    expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
    const claim = store.claim([{ key, token: "t", owner: "o" }]);
    await expect(claim).rejects.toMatchObject({ code: "PERMISSION_DENIED", retryable: false });
    await admin.sendCommand(["ACL", "SETUSER", user, "+hset", "-evalsha"]);
    await expect(store.fetch([key])).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  });
});

await describeWithServer("redis", (server) => {
  it("needs no commands but those that the README lists", async () => {
    const readme = await readFile(join(import.meta.dirname, "..", "README.md"), "utf8");
    const [, commands = ""] = /```text\n(\+evalsha[^(]*)/u.exec(readme) ?? [];
    const admin = await createClient({ url: server.url }).connect();
    const user = `u${crypto.randomUUID()}`;
    onTestFinished(async () => {
      await admin.sendCommand(["ACL", "DELUSER", user]);
      admin.destroy();
    });
    const rights = commands.split(/\s+/u).filter((command) => command !== "");
    await admin.sendCommand(["ACL", "SETUSER", user, "on", ">s3cret", "~tidemark:*", "-@all", ...rights]);
    const client = createClient({ url: `redis://${user}:s3cret@${new URL(server.url).host}` });
    client.on("error", () => undefined);
    await client.connect();
    onTestFinished(() => client.destroy());
    await using store = await openRedisStore({ client, namespace: user });
    const keys = Array.from({ length: 40 }, (_, partition) => ({ ...key, topic: `t${partition % 20}`, partition }));
    for (const ttl of [null, 60_000, 120_000]) {
      for (const each of keys) await store.claim([{ key: each, token: "t", owner: "o", ttl }]);
      expect(await store.commit(keys.map((each) => ({ key: each, token: "t", nextOffset: 1n })))).toHaveLength(40);
    }
    await store.reset([{ key, nextOffset: 5n }]);
    await store.expire([{ key, ttl: 50_000 }]);
    await admin.del(`tidemark:{${user}}:c/t3`);
    expect(await Array.fromAsync(store.list())).toHaveLength(39);
    // What the store does by the way is refused in silence: it is asked here what was refused.
    const refused = await admin.sendCommand(["ACL", "LOG"]);
    expect(JSON.stringify(refused)).not.toContain(user);
    expect(await store.delete({ consumer: "c" })).toHaveLength(39);
    await admin.del(`tidemark:{${user}}`);
  });
});

describe("a server of the test's own", () => {
  it("warns when it may evict, and refuses a replica", async ({ skip }) => {
    const server = await launchOrSkip("redis", skip);
    onTestFinished(() => server.stop());
    const admin = createClient({ url: server.url });
    await admin.connect();
    await admin.sendCommand(["CONFIG", "SET", "maxmemory", "100mb", "maxmemory-policy", "allkeys-lru"]);
    const events: OffsetStoreEvent[] = [];
    await (await storeUrl.open(server.url, { onEvent: (event) => events.push(event) })).close();
    expect(events).toMatchObject([{ type: "warning", message: /allkeys-lru/u }]);
    await admin.sendCommand(["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
    await (await openRedisStore({ url: server.url, onEvent: (event) => events.push(event) })).close();
    expect(events).toHaveLength(1);
    // Nobody acknowledges, since there is no replica: written, and said to be.
    const namespace = "waiting";
    await using waiting = await openRedisStore({
      url: server.url,
      namespace,
      acknowledge: { replicas: 1, timeout: 20 },
    });
    await expect(waiting.claim([{ key, token: "t", owner: "o" }])).rejects.toMatchObject({
      code: "UNAVAILABLE",
      retryable: true,
      message: /the write was applied, but was not acknowledged/u,
    });
    expect(await waiting.fetch([key])).toMatchObject([{ status: "found" }]);
    const aof = openRedisStore({ url: server.url, acknowledge: { appendOnlyFile: true } });
    expect(await errorOf(aof)).toMatchObject({ code: "UNSUPPORTED" });
    await admin.sendCommand(["REPLICAOF", "127.0.0.1", "1"]);
    expect(await errorOf(openRedisStore({ url: server.url }))).toMatchObject({
      code: "UNSUPPORTED",
      message: /replica/u,
    });
    admin.destroy();
  });

  it("has each write wait for the append-only file where that is asked for", async ({ skip }) => {
    const server = await launchOrSkip("redis-newest", skip);
    onTestFinished(() => server.stop());
    const acknowledge = { appendOnlyFile: true };
    const before = await createClient({ url: server.url }).connect();
    await before.sendCommand(["CONFIG", "SET", "appendfsync", "everysec"]);
    before.destroy();
    await using store = await openRedisStore({ url: server.url, acknowledge });
    expect(await store.claim([{ key, token: "t", owner: "o" }])).toMatchObject([{ status: "claimed" }]);
    expect(await store.commit([{ key, token: "t", nextOffset: 5n }])).toEqual([{ status: "committed" }]);
    // Killed at once: what was acknowledged is on the disk.
    await server.kill();
    await server.restart();
    await using again = await openRedisStore({ url: server.url, acknowledge });
    expect(await again.fetch([key])).toMatchObject([{ record: { nextOffset: 5n } }]);
    const admin = await createClient({ url: server.url }).connect();
    onTestFinished(() => admin.destroy());
    // Turned off while the store is open: nothing is acknowledged any more, and the store says so.
    await admin.sendCommand(["CONFIG", "SET", "appendonly", "no"]);
    await expect(again.commit([{ key, token: "t", nextOffset: 6n }])).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(openRedisStore({ url: server.url, acknowledge })).rejects.toMatchObject({ code: "UNSUPPORTED" });
  });

  it("is as small as before, once what expires has expired, with nobody reading", async ({ skip }) => {
    const server = await launchOrSkip("redis", skip);
    onTestFinished(() => server.stop());
    await using store = await openRedisStore({ url: server.url });
    const admin = await createClient({ url: server.url }).connect();
    onTestFinished(() => admin.destroy());
    const keys = Array.from({ length: 500 }, (_, each) => ({ ...key, consumer: `c${each}` }));
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o", ttl: 2_000 })));
    expect(await admin.dbSize()).toBeGreaterThan(1);
    await store.commit(keys.map((each) => ({ key: each, token: "t", nextOffset: 1n })));
    // Counted by the server, which counts an expired key until it has freed it; to look at a key would free it.
    // The index does not expire.
    await expect.poll(() => admin.dbSize()).toBe(1);
  });

  it("says how to write the number of a database", async ({ skip }) => {
    const server = await launchOrSkip("redis", skip);
    onTestFinished(() => server.stop());
    const error = await errorOf(openRedisStore({ url: `${server.url}/999` }));
    expect(error).toMatchObject({ code: "UNSUPPORTED", retryable: false });
    expect(error.message).toMatch(/database.*end of the URL/u);
    await (await openRedisStore({ url: `${server.url}/15` })).close();
  });
});

await describeWithServer("redis", (single) => {
  it("says which kind of server it is, when it is another than was said", async ({ skip }) => {
    const cluster = await sharedOrSkip("redis-cluster", skip);
    const sentinel = await sharedOrSkip("redis-sentinel", skip);
    const wrong: readonly [url: string, expected: RegExp][] = [
      [cluster.url, /node of a Cluster.*cluster=true/u],
      [`${cluster.url}/1`, /a Cluster has 0 only/u],
      [sentinel.url, /a Sentinel.*sentinel=NAME/u],
      [`${single.url}?cluster=true`, /not a node of a Cluster/u],
    ];
    for (const [url, message] of wrong) {
      const error = await errorOf(openRedisStore({ url, timeout: 3_000 }));
      expect(error).toMatchObject({ code: "UNSUPPORTED", retryable: false, message });
    }
    const { host } = new URL(cluster.url);
    expect(await errorOf(openRedisStore({ url: `redis://u:s3cret@${host}?cluster=true` }))).toMatchObject({
      code: "PERMISSION_DENIED",
    });
    const confused = await errorOf(openRedisStore({ url: `${single.url}?sentinel=mymaster`, timeout: 3_000 }));
    expect(confused).toMatchObject({ code: "UNAVAILABLE", message: /no Sentinel/u });
  });
});

await describeWithServer("redis-sentinel", (server) => {
  it("says that the caller's Sentinel client is closed", async () => {
    const sentinelRootNodes = server.urls.map((url) => ({
      host: new URL(url).hostname,
      port: Number(new URL(url).port),
    }));
    const client = createSentinel({ name: "mymaster", sentinelRootNodes });
    client.on("error", () => undefined);
    await client.connect();
    await using store = await openRedisStore({ client });
    expect(await store.fetch([key])).toMatchObject([{ status: "absent" }]);
    await client.destroy();
    await expect(store.fetch([key])).rejects.toMatchObject({
      code: "UNAVAILABLE",
      retryable: false,
      message: /the client is closed/u,
    });
  });
});
