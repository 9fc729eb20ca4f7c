import { describeWithServer } from "@tidemark/test-support/servers";
import { MongoClient } from "mongodb";
import { afterAll } from "vitest";
import { testBadInput } from "./test-bad-input.ts";
import { testSessions } from "./test-sessions.ts";

const COLLECTION = "offsets";

await describeWithServer("mongo", (server) => {
  const database = "tidemark-cli";
  const url = new URL(server.url);
  url.pathname = `/${database}`;
  const client = new MongoClient(server.url);
  afterAll(() => client.close());

  testSessions({
    url: url.href,
    async corrupt({ key: { consumer, topic, partition }, namespace }) {
      const { matchedCount } = await client
        .db(database)
        .collection<{ _id: string }>(COLLECTION)
        .updateOne({ _id: `${namespace}/${consumer}/${topic}/${partition}` }, { $set: { value: "seven" } });
      if (matchedCount !== 1) throw new Error("there is no such record");
    },
  });

  testBadInput([
    {
      what: "a wrong password",
      url: `mongodb://nobody:secret-one@${url.host}/${database}`,
      code: 1,
      message: /^mongo store: open failed: .*(password|credentials|authenticat)/i,
    },
    {
      what: "TLS on a server without",
      url: `mongodb://nobody:secret-one@${url.host}/${database}?tls=true`,
      code: 1,
      message: /^mongo store: open failed: .*TLS/,
    },
  ]);
});
