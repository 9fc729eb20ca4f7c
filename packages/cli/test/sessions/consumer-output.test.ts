import { expect, test } from "vitest";
import { createWorkspace } from "../support/workspace.ts";

test("a consumer is described, listed as JSON and as YAML, with the names of the record's fields", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create t --consumer-ttl 24h");
  await out("produce t", "a\nb\nc\n");
  await out("consume t -c c1 -n 2");
  const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown;
  const position = {
    consumer: "c1",
    topic: "t",
    partition: 0,
    nextOffset: "2",
    lag: "1",
    metadata: "",
    epoch: expect.any(Number) as unknown,
    ttl: 86_400_000,
    committedAt: time,
    updatedAt: time,
    expiresAt: time,
  };
  expect(JSON.parse(await out("consumer list --partitions -O json"))).toEqual([position]);
  expect(JSON.parse(await out("consumer describe c1 -O json"))).toEqual([position]);
  expect(await out("consumer list --partitions --output yaml")).toMatch(
    /^- consumer: c1\n {2}topic: t\n {2}partition: 0\n {2}nextOffset: "2"\n {2}lag: "1"\n {2}metadata: ""\n {2}epoch: \d+\n {2}ttl: 86400000\n {2}committedAt: /,
  );
  expect(await out("consumer describe c1 --topic t")).toMatch(
    /^Name: c1\n\nTopic: t\nPartition: 0\nOffset: 2\nLag: 1\nTTL: 24h\nExpires: \S+ \(in 23 hr\)\nOwner: -\nClaimed: -\nEpoch: \d+\nCommitted: \S+\nUpdated: \S+\nReset: -\nMetadata: -\n$/,
  );
});

test("an empty list is [] for programs, and nothing on standard output for people", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  expect(await out("consumer list --partitions -O json")).toBe("[]\n");
  expect(await out("consumer list --partitions -O yaml")).toBe("[]\n");
  expect(await run(["consumer", "list"])).toEqual({
    code: 0,
    stdout: "",
    // Who forgot to name a store learns which one this is.
    stderr: expect.stringMatching(/^no consumers in \/.+\/tidemark\.db; --store names another place\n$/) as unknown,
  });
  expect(await run(["consumer", "list", "--store", "memory:"])).toMatchObject({ stderr: "no consumers\n" });
  expect(await run(["topic", "list"])).toEqual({ code: 0, stdout: "", stderr: "no topics\n" });
});

test.each([
  ["local:other.db", 'warning: no lag is shown on topic "t": not in this log; --log names another\n'],
  [
    "kafka://nowhere.invalid:9092",
    expect.stringMatching(/^warning: no lag is shown: .*nowhere\.invalid[^\n]+\nhelp: \S+#unavailable\n$/),
  ],
])("a log that has not the topic, or cannot be reached (%s), is told, and the list is whole", async (log, warning) => {
  // Where names are looked up on a network that loses the question, the answer is there before the command gives up.
  await using workspace = await createWorkspace({ RES_OPTIONS: "timeout:1 attempts:1" });
  const { out, run } = workspace;
  await out("topic create t");
  await out("consume t -c c1 --until-end");
  await out("topic create another --log local:other.db");
  const listed = await run(["consumer", "list", "--partitions", "--log", log]);
  expect(listed).toMatchObject({ code: 0, stderr: warning });
  expect(listed.stdout).toMatch(/^CONSUMER .*\nc1 +t +0 +0 +- +- +\S+\n$/);
  expect(JSON.parse(await out(`consumer list --partitions -O json --log ${log}`))).not.toHaveProperty("0.lag");
  expect(await run(["consumer", "describe", "c1", "--log", log])).toMatchObject({ code: 0, stderr: warning });
});

test("a log's URL that makes no sense is wrong usage of the list, too", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t");
  await out("consume t -c c1 --until-end");
  for (const log of ["redis://127.0.0.1", "kafka://", "kafka://host?tsl=true"]) {
    expect(await run(["consumer", "list", "--log", log])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^tidemark: [^\n]+\n$/) as unknown,
    });
  }
});

test("names that are odd are kept whole, and cannot break the table", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  const name = "日本\n\u001b[31m/..:%*{}";
  await out("topic create t");
  expect((await run(["consume", "t", "--until-end", "-c", name])).code).toBe(0);
  await out("consume t -c plain --until-end");
  const [header, , odd] = (await out("consumer list --partitions")).split("\n");
  // Two characters, each as wide as two: the next column stands where its heading stands.
  expect(odd?.indexOf(" t ")).toBe((header?.indexOf("TOPIC") ?? 0) - 3);
  expect(odd).toContain("日本\\n\\u001b[31m/..:%*{}");
  expect(JSON.parse(await out("consumer list --partitions -O json"))).toMatchObject([
    { consumer: "plain" },
    { consumer: name },
  ]);
  expect((await run(["consumer", "delete", name])).stdout).toBe(
    `consumer ${JSON.stringify(name)} on topic "t" partition "0" deleted\n`,
  );
});
