import { expect, test } from "vitest";
import { cells, createWorkspace } from "../support/workspace.ts";

// The command-line sessions of the proposal that Tidemark comes from, in its own words.

test("a consumer reads two partitions, another all of them, and each has its own positions", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create my-topic --partitions 3");
  await out("produce my-topic --partition 0", "a\nb\n");
  await out("produce my-topic --partition 1", "c\n");
  await out("produce my-topic --partition 2", "d\n");

  const two = await out("consume my-topic -c c1 -p 0 -p 1 --until-end");
  expect(two.trimEnd().split("\n").toSorted()).toEqual(["a", "b", "c"]);
  const all = await out("consume my-topic --consumer c2 --all --until-end");
  expect(all.trimEnd().split("\n").toSorted()).toEqual(["a", "b", "c", "d"]);

  const rows = cells(await out("consumer list --partitions"));
  expect(rows[0]).toEqual(["CONSUMER", "TOPIC", "PARTITION", "OFFSET", "LAG", "TTL", "OWNER"]);
  expect(rows.slice(1).map((row) => row.slice(0, 6))).toEqual([
    ["c1", "my-topic", "0", "2", "0", "-"],
    ["c1", "my-topic", "1", "1", "0", "-"],
    ["c2", "my-topic", "0", "2", "0", "-"],
    ["c2", "my-topic", "1", "1", "0", "-"],
    ["c2", "my-topic", "2", "1", "0", "-"],
  ]);

  await out("produce my-topic --partition 1", "e\n");
  expect(cells(await out("consumer list --partitions")).map((row) => row[4])).toEqual(["LAG", "0", "1", "0", "1", "0"]);
  expect(await out("consume my-topic -c c1 -p 0 -p 1 --until-end")).toBe("e\n");
});

test("the first consume makes a consumer, at partition 0, and says that there are more", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create my-topic --partitions 2");
  await out("produce my-topic --partition 0", "a\n");
  const consumed = await run(["consume", "my-topic", "-c", "c1", "--until-end"]);
  expect(consumed).toEqual({
    code: 0,
    stdout: "a\n",
    stderr:
      'topic "my-topic" has 2 partitions: reading partition 0 only, --all reads every one\n' +
      'topic "my-topic" partition "0": consumer "c1" has no position yet; starts at 0\n',
  });
  expect(
    cells(await out("consumer list --partitions"))
      .slice(1)
      .map((row) => row.slice(0, 5)),
  ).toEqual([["c1", "my-topic", "0", "1", "0"]]);
});

test("consumers are deleted by name, by topic and by partition, and what is deleted is named", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create t1 --partitions 2");
  await out("topic create t2 --partitions 2");
  for (const name of ["c1", "c10", "c2"]) await out(`consume t1 -c ${name} --all --until-end`);
  await out("consume t2 -c c1 --all --until-end");

  expect(await out("consumer delete c1 --topic t1 --partition 0")).toBe(
    'consumer "c1" on topic "t1" partition "0" deleted\n',
  );
  expect(await out("consumer delete c1 -p 1")).toBe(
    'consumer "c1" on topic "t1" partition "1" deleted\nconsumer "c1" on topic "t2" partition "1" deleted\n',
  );
  expect(await out("consumer delete c1")).toBe('consumer "c1" on topic "t2" partition "0" deleted\n');
  expect(await run(["consumer", "delete", "c1"])).toEqual({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(
      /^tidemark: nothing deleted: consumer "c1" has no position in \/.+\/tidemark\.db; --store names another place\n$/,
    ) as unknown,
  });
  expect(await out("consumer delete c2 -t t1 -O json")).toBe(
    `${JSON.stringify(
      [
        { consumer: "c2", topic: "t1", partition: 0 },
        { consumer: "c2", topic: "t1", partition: 1 },
      ],
      undefined,
      2,
    )}\n`,
  );
  expect(cells(await out("consumer list --partitions")).map((row) => row[0])).toEqual(["CONSUMER", "c10", "c10"]);
});

test("a topic is described with its consumers, and deleted with them; its namesake keeps its own", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create my-topic1 --partitions 2 --consumer-ttl 24h");
  await out("topic create my-topic10");
  await out("produce my-topic1", "a\nb\nc\n");
  await out("consume my-topic1 -c c2 --all --until-end");
  await out("consume my-topic1 -c c1 --until-end");
  await out("consume my-topic10 -c c1 --until-end");

  expect(await out("topic describe my-topic1")).toBe(
    [
      "Name: my-topic1",
      "Partition Count: 2",
      "Consumer TTL: 24h",
      "Retention Time: -",
      "Retention Bytes: -",
      "Partitions:",
      "  PARTITION   START   END",
      "  0           0       2",
      "  1           0       1",
      "Consumers:",
      "  - c1/0",
      "  - c2/0",
      "  - c2/1",
      "",
    ].join("\n"),
  );
  expect(await out("topic delete my-topic1")).toBe(
    [
      'topic "my-topic1" deleted',
      'consumer "c1" on topic "my-topic1" partition "0" deleted',
      'consumer "c2" on topic "my-topic1" partition "0" deleted',
      'consumer "c2" on topic "my-topic1" partition "1" deleted',
      "",
    ].join("\n"),
  );
  expect(await run(["topic", "delete", "my-topic1"])).toEqual({
    code: 1,
    stdout: "",
    stderr: 'tidemark: there is no topic "my-topic1", and no consumer has a position on it\n',
  });
  expect(
    cells(await out("consumer list --partitions"))
      .slice(1)
      .map((row) => row.slice(0, 4)),
  ).toEqual([["c1", "my-topic10", "0", "0"]]);
});

test("a topic that is gone already still takes what its consumers left along", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create gone");
  await out("consume gone -c c1 --until-end --store sqlite:kept.db");
  // Another store: this delete does not see the position, as one that failed half way would not have.
  await out("topic delete gone");
  expect(await run(["topic", "delete", "gone", "--store", "sqlite:kept.db"])).toEqual({
    code: 0,
    stdout: 'consumer "c1" on topic "gone" partition "0" deleted\n',
    stderr: 'there is no topic "gone"; positions of its consumers were still stored\n',
  });
});

test("internal topics show only with --all", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create __internal");
  await out("topic create visible --retention-time 7d --retention-bytes 1MiB");
  expect(cells(await out("topic list"))).toEqual([
    ["NAME", "PARTITIONS", "CONSUMER-TTL", "RETENTION-TIME", "RETENTION-BYTES"],
    ["visible", "1", "-", "7d", "1048576"],
  ]);
  expect(cells(await out("topic list --all")).map((row) => row[0])).toEqual(["NAME", "__internal", "visible"]);
  expect(JSON.parse(await out("topic list -O json"))).toEqual([
    { name: "visible", partitions: 1, retentionMs: 604_800_000, retentionBytes: 1_048_576, internal: false },
  ]);
});
