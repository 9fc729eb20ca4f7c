import { inspect } from "node:util";
import { OffsetStoreError } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import { openTcpProxy } from "@tidemark/test-support/faults";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";
import type { RedisSingleClient } from "../src/redis-client.ts";

const token = "SECRETTOKEN";
const key = { consumer: "c", topic: "t", partition: 0 };

await describeWithServer("redis", (server) => {
  it("shows no token where the server does not know EVALSHA, and calls it UNSUPPORTED", async () => {
    const client = await createClient({ url: server.url }).connect();
    onTestFinished(() => client.destroy());
    let isKnown = false;
    // As a server answers that has the command renamed; a rename takes a start of its own.
    const renamed: RedisSingleClient = {
      isOpen: true,
      sendCommand: ([name = "", ...args], options) =>
        client.sendCommand([name === "EVALSHA" && !isKnown ? "EVALSHA_NO_MORE" : name, ...args], options),
    };
    const namespace = `errors-${crypto.randomUUID()}`;
    await using store = await openRedisStore({ client: renamed, namespace });
    onTestFinished(async () => {
      await client.del([`tidemark:{${namespace}}`, `tidemark:{${namespace}}:c/t`]);
    });
    const claims = [{ key, token, owner: "o" }];
    const failed = async (call: Promise<unknown>): Promise<void> => {
      const error: unknown = await call.then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(OffsetStoreError);
      expect(error).toMatchObject({ code: "UNSUPPORTED", retryable: false });
      expect(inspect(error, { depth: 9 })).not.toContain("SECRET");
    };
    await failed(store.claim(claims));
    await failed(store.fetch([key]));
    isKnown = true;
    await store.claim(claims);
    isKnown = false;
    // What is remembered is written without a read: the token is among the arguments.
    await failed(store.commit([{ key, token, nextOffset: 1n }]));
  });

  it("falls back to the source where a script is not known, or not any more", async () => {
    const client = await createClient({ url: server.url }).connect();
    onTestFinished(() => client.destroy());
    const namespace = `errors-${crypto.randomUUID()}`;
    await using store = await openRedisStore({ client, namespace });
    await client.scriptFlush();
    expect(await store.claim([{ key, token, owner: "o" }])).toMatchObject([{ status: "claimed" }]);
    for (let nextOffset = 1n; nextOffset < 5n; nextOffset += 1n) {
      await client.scriptFlush();
      // Several at once, of which each falls back for itself.
      const commit = { key, token, nextOffset };
      const [first] = await Promise.all([
        store.commit([commit]),
        store.fetch([key]),
        store.claim([{ key: { ...key, partition: 1 }, token, owner: "o" }]),
      ]);
      expect(first).toEqual([{ status: "committed" }]);
    }
    await client.scriptFlush();
    expect(await store.delete({ consumer: "c" })).toHaveLength(2);
  });

  it("calls a client's full queue a passing outage: it is empty once the server answers", async () => {
    const { hostname, port } = new URL(server.url);
    await using proxy = await openTcpProxy({ host: hostname, port: Number(port) });
    const client = createClient({ url: `redis://127.0.0.1:${proxy.port}`, commandsQueueMaxLength: 10 });
    client.on("error", () => undefined);
    await client.connect();
    onTestFinished(() => client.destroy());
    await using store = await openRedisStore({ client, namespace: `errors-${crypto.randomUUID()}`, timeout: 1_000 });
    proxy.silence();
    const calls = Array.from({ length: 30 }, (_, partition) => store.fetch([{ ...key, partition }]));
    const errors = (await Promise.allSettled(calls)).map((call) =>
      call.status === "rejected" ? call.reason : undefined,
    );
    for (const error of errors) expect(error).toMatchObject({ retryable: true });
    expect(errors.some((error) => String(error).includes("commandsQueueMaxLength"))).toBe(true);
  });
});
