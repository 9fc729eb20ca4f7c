import { openTcpProxy } from "@tidemark/test-support/faults";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { beginRedisTransaction, openRedisStore } from "../src/index.ts";

const token = "t";
const owner = "o";

await describeWithServer("redis", (server) => {
  async function setUp() {
    const namespace = `transactions-${crypto.randomUUID()}`;
    const client = await createClient({ url: server.url }).connect();
    const store = await openRedisStore({ client, namespace });
    const proxy = await openTcpProxy({ port: Number(new URL(server.url).port), protocol: "resp" });
    const connection = createClient({
      url: `redis://127.0.0.1:${proxy.port}`,
      socket: { reconnectStrategy: () => 25 },
    });
    connection.on("error", () => undefined);
    await connection.connect();
    const work = `tidemark:{${namespace}}work`;
    const keys = [1, 0, 2].map((partition) => ({ consumer: "c{1}", topic: "t", partition }));
    const other = { consumer: "other", topic: "t}{", partition: 0 };
    await store.claim([...keys, other].map((key) => ({ key, token, owner })));
    onTestFinished(async () => {
      connection.destroy();
      await proxy.close();
      await client.del(work);
      await store.delete({ consumer: "c{1}" });
      await store.delete({ consumer: "other" });
      await store.close();
      client.destroy();
    });
    const positions = async () =>
      (await store.fetch([...keys, other])).map((outcome) =>
        outcome.status === "found" ? outcome.record.nextOffset : outcome.status,
      );
    return { client, store, proxy, connection, work, keys, other, positions };
  }

  it("commits several records of several hashes at once, each with its own position", async () => {
    const { client, store, connection, work, keys, other, positions } = await setUp();
    const transaction = beginRedisTransaction(connection);
    transaction.multi.incr(work);
    const [first, second, third] = keys;
    if (first === undefined || second === undefined || third === undefined) throw new Error("there are three");
    const outcomes = await store.commit(
      [
        { key: first, token, nextOffset: 10n },
        { key: other, token, nextOffset: 20n, metadata: "m" },
        { key: second, token, nextOffset: 30n },
        { key: third, token },
      ],
      { transaction },
    );
    expect(outcomes.map(({ status }) => status)).toEqual(Array.from({ length: 4 }, () => "committed"));
    expect(await positions()).toEqual([undefined, undefined, undefined, undefined]);
    await transaction.commit();
    expect([await client.get(work), await positions()]).toEqual(["1", [10n, 30n, undefined, 20n]]);
    // One refused record, and nothing of its call is sent.
    const refused = beginRedisTransaction(connection);
    refused.multi.incr(work);
    const commit = store.commit(
      [
        { key: first, token, nextOffset: 11n },
        { key: second, token: "another", nextOffset: 31n },
      ],
      { transaction: refused },
    );
    await expect(commit).rejects.toMatchObject({ code: "CONFLICT", refusal: { reason: "superseded" } });
    await refused.rollback();
    expect([await client.get(work), await positions()]).toEqual(["1", [10n, 30n, undefined, 20n]]);
  });

  it("is whole, or not at all, when the connection breaks around its EXEC", async () => {
    const { client, store, proxy, connection, work, keys, positions } = await setUp();
    const isExec = { match: ({ name }: { readonly name: string }) => name === "EXEC" };
    const send = async (nextOffset: bigint): Promise<void> => {
      const transaction = beginRedisTransaction(connection);
      transaction.multi.incr(work);
      await store.commit(
        keys.map((key) => ({ key, token, nextOffset })),
        { transaction },
      );
      await transaction.commit();
    };
    const unsent = proxy.cutBeforeRequest(isExec);
    await expect(send(5n)).rejects.toThrow();
    await unsent;
    expect([await client.get(work), await positions()]).toEqual([null, [undefined, undefined, undefined, undefined]]);
    const unanswered = proxy.cutAfterRequest(isExec);
    await expect(send(6n)).rejects.toThrow();
    await unanswered;
    // The answer was lost, and the position tells.
    await expect.poll(() => client.get(work)).toBe("1");
    expect(await positions()).toEqual([6n, 6n, 6n, undefined]);
    await expect.poll(() => send(7n).then(() => "sent", String), { timeout: 10_000 }).toBe("sent");
    expect([await client.get(work), await positions()]).toEqual(["2", [7n, 7n, 7n, undefined]]);
  });

  it("is not carried out when the connection broke between its look and its EXEC", async () => {
    const { client, store, proxy, connection, work, keys, positions } = await setUp();
    const transaction = beginRedisTransaction(connection);
    transaction.multi.incr(work);
    await store.commit(
      keys.map((key) => ({ key, token, nextOffset: 5n })),
      { transaction },
    );
    proxy.dropConnections();
    await expect.poll(() => connection.ping().catch(String), { timeout: 10_000 }).toBe("PONG");
    // What was watched is forgotten by the server: somebody may have claimed meanwhile.
    await expect(transaction.commit()).rejects.toMatchObject({ code: "CONFLICT", retryable: true });
    expect([await client.get(work), await positions()]).toEqual([null, [undefined, undefined, undefined, undefined]]);
  });
});
