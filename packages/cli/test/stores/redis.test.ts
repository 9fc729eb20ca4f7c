import { randomUUID } from "node:crypto";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { afterAll, beforeAll } from "vitest";
import { testBadInput } from "./test-bad-input.ts";
import { testSessions } from "./test-sessions.ts";

await describeWithServer("redis", (server) => {
  const { host } = new URL(server.url);
  const user = `cli-${randomUUID()}`;
  const client = createClient({ url: server.url });

  beforeAll(async () => {
    await client.connect();
    await client.sendCommand(["ACL", "SETUSER", user, "on", ">secret-one", "~*", "&*", "+@all"]);
  });
  afterAll(async () => {
    await client.sendCommand(["ACL", "DELUSER", user]);
    await client.close();
  });

  testSessions({
    url: `redis://${user}:secret-one@${host}`,
    async corrupt({ key: { consumer, topic, partition }, namespace }) {
      const added = await client.hSet(`tidemark:{${namespace}}:${consumer}/${topic}`, String(partition), "seven");
      if (added !== 0) throw new Error("there is no such record");
    },
  });

  testBadInput([
    {
      what: "a wrong password",
      url: `redis://${user}:secret-two@${host}`,
      code: 1,
      message: /^redis store: open failed: .*password/i,
    },
    {
      what: "TLS on a server without",
      url: `rediss://${user}:secret-one@${host}`,
      code: 1,
      message: /^redis store: open failed: .*TLS/,
    },
    {
      what: "a database that the server does not have",
      url: `redis://${user}:secret-one@${host}/999`,
      code: 1,
      message: /^redis store: open failed: .*(DB index is out of range|database)/i,
    },
  ]);
});
