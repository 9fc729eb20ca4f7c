import assert from "node:assert/strict";
import { it } from "vitest";
import { createClient } from "redis";
import { describeWithServer, requireServer, sharedServer } from "../../src/servers/index.ts";

await describeWithServer("redis", (server) => {
  it("is the same server for whoever asks", async () => {
    const again = await sharedServer("redis");
    requireServer(again);
    assert.deepEqual(again, server);
  });

  it("answers, and says its version", async () => {
    const client = createClient({ url: server.url });
    await client.connect();
    assert.equal(await client.ping(), "PONG");
    client.destroy();
    assert.match(server.version, /^Redis [\d.]+ alone$/u);
  });
});
