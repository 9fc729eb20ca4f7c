import { openTcpProxy } from "@tidemark/test-support/faults";
import { launchOrSkip } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { openRedisStore } from "../src/index.ts";
import { untilReplicated } from "./until-replicated.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };

it("goes on with the new master when its own was made a replica, and kept the connection (contract 3.3c)", async ({
  skip,
}) => {
  const [former, next] = await Promise.all([launchOrSkip("redis", skip), launchOrSkip("redis", skip)]);
  onTestFinished(async () => void (await Promise.all([former.stop(), next.stop()])));
  const portOf = ({ url }: { readonly url: string }): number => Number(new URL(url).port);
  let port = portOf(former);
  // As a name does that follows the master.
  await using proxy = await openTcpProxy({
    get port() {
      return port;
    },
  });
  await ask(next.url, ["REPLICAOF", "127.0.0.1", String(portOf(former))]);
  await using store = await openRedisStore({ url: `redis://127.0.0.1:${proxy.port}`, timeout: 5_000 });
  await store.claim([{ key, token: "t", owner: "o" }]);
  expect(await store.commit([{ key, token: "t", nextOffset: 1n }])).toEqual([{ status: "committed" }]);
  await untilReplicated(former.url);
  await ask(next.url, ["REPLICAOF", "NO", "ONE"]);
  await ask(former.url, ["REPLICAOF", "127.0.0.1", String(portOf(next))]);
  port = portOf(next);
  const commit = () => store.commit([{ key, token: "t", nextOffset: 2n }]).catch((error: unknown) => error);
  await expect.poll(commit, { timeout: 30_000 }).toEqual([{ status: "committed" }]);
  expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 2n } }]);
});

async function ask(url: string, command: string[]): Promise<void> {
  const client = createClient({ url });
  client.on("error", () => undefined);
  await client.connect();
  await client.sendCommand(command);
  client.destroy();
}
