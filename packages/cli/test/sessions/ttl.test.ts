import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { cells, createWorkspace, eventually, type Workspace } from "../support/workspace.ts";

interface Position {
  readonly consumer: string;
  readonly nextOffset?: string;
  readonly ttl?: number;
}

const HOUR_MS = 3_600_000;

async function positions({ out }: Workspace): Promise<Position[]> {
  return JSON.parse(await out("consumer list --partitions -O json")) as Position[];
}

async function ttls(workspace: Workspace): Promise<Record<string, number | undefined>> {
  return Object.fromEntries((await positions(workspace)).map(({ consumer, ttl }) => [consumer, ttl]));
}

test("a TTL is given with the topic, when consuming, and afterwards", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create my-topic --consumer-ttl 24h");
  await out("produce my-topic", "a\n");
  await out("consume my-topic -c inherits --until-end");
  await out("consume my-topic -c own --ttl 20m --until-end");
  await out("consume my-topic -c forever --ttl none --until-end");
  expect(await ttls(workspace)).toEqual({ inherits: 24 * HOUR_MS, own: 1_200_000, forever: undefined });
  expect(cells(await out("consumer list --partitions")).map((row) => row[5])).toEqual(["TTL", "-", "23 hr", "19 min"]);

  // Neither the topic's nor nothing: what is stored stays.
  await out("consume my-topic -c own --until-end");
  expect(await ttls(workspace)).toMatchObject({ own: 1_200_000 });

  expect(await out("consumer set own --ttl 12h --topic my-topic --partition 0")).toBe(
    'consumer "own" on topic "my-topic" partition "0" has a TTL of 12h\n',
  );
  expect(await out("consumer set inherits --ttl none")).toBe(
    'consumer "inherits" on topic "my-topic" partition "0" never expires\n',
  );
  expect(await ttls(workspace)).toEqual({ inherits: undefined, own: 12 * HOUR_MS, forever: undefined });
  expect(await run(["consumer", "set", "own", "--ttl", "20s"])).toMatchObject({
    code: 0,
    stderr: expect.stringContaining("running processes see the new TTL at their next renewal, within 30 s"),
  });
  await out("consumer set own --ttl 12h");
  expect(await run(["consumer", "set", "nobody", "--ttl", "1h"])).toEqual({
    code: 1,
    stdout: "",
    stderr: expect.stringMatching(
      /^tidemark: consumer "nobody" has no position in \/.+\/tidemark\.db; --store names another place\n$/,
    ) as unknown,
  });
  expect((await positions(workspace)).map(({ nextOffset }) => nextOffset)).toEqual(["1", "1", "1"]);
});

test("a topic's new TTL goes to the positions that have the old one, and no position is lost by it", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create my-topic --consumer-ttl 24h");
  await out("consume my-topic -c inherits --until-end");
  await out("consume my-topic -c own --ttl 20m --until-end");
  expect(await run(["topic", "alter", "my-topic", "--consumer-ttl", "36h"])).toEqual({
    code: 0,
    stdout: 'topic "my-topic" altered\n',
    stderr: '1 position on topic "my-topic" had the topic\'s TTL and got the new one\n',
  });
  expect(await ttls(workspace)).toEqual({ inherits: 36 * HOUR_MS, own: 1_200_000 });
  await out("topic alter my-topic --consumer-ttl none --partitions 2");
  expect(await ttls(workspace)).toEqual({ inherits: undefined, own: 1_200_000 });
  expect(await out("topic describe my-topic")).toMatch(/^Partition Count: 2\nConsumer TTL: -$/m);
});

test("what was given without a TTL has none, also when the topic gets its first one", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create my-topic");
  await out("consume my-topic -c keep --ttl none --until-end");
  await out("consume my-topic -c inherits --until-end");
  expect(await run(["topic", "alter", "my-topic", "--consumer-ttl", "1h"])).toMatchObject({
    code: 0,
    stderr:
      '0 positions on topic "my-topic" had the topic\'s TTL and got the new one\n' +
      '2 positions on topic "my-topic" have no TTL and were not changed; tidemark consumer set gives them one\n',
  });
  // Nothing stored tells the two apart, and a position too long there harms nobody.
  expect(await ttls(workspace)).toEqual({ keep: undefined, inherits: undefined });
  await out("consumer set inherits --ttl 1h");
  await out("topic alter my-topic --consumer-ttl 2h");
  expect(await ttls(workspace)).toEqual({ keep: undefined, inherits: 2 * HOUR_MS });
});

test("a topic's new TTL that got half-way is passed on by the same command again", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  const command = "--store sqlite:store.db topic alter my-topic --consumer-ttl 36h";
  await out("topic create my-topic --consumer-ttl 24h");
  await out("--store sqlite:store.db consume my-topic -c c1 --until-end");

  using database = new DatabaseSync(join(workspace.folder, "store.db"));
  database.exec("CREATE TRIGGER dies BEFORE UPDATE ON tidemark_offsets BEGIN SELECT RAISE(ABORT, 'not now'); END");
  expect(await run(command.split(" "))).toMatchObject({ code: 1, stdout: "" });
  database.exec("DROP TRIGGER dies");

  expect(await out(command)).toBe('topic "my-topic" altered\n');
  expect(JSON.parse(await out("--store sqlite:store.db consumer list --partitions -O json"))).toMatchObject([
    { ttl: 36 * HOUR_MS },
  ]);
});

test("what the log refuses leaves the positions' TTL as it is", async () => {
  await using workspace = await createWorkspace();
  const { out, run } = workspace;
  await out("topic create my-topic --partitions 2 --consumer-ttl 24h");
  await out("consume my-topic -c c1 --until-end");
  const refused = await run("topic alter my-topic --partitions 1 --consumer-ttl 36h".split(" "));
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(await ttls(workspace)).toEqual({ c1: 24 * HOUR_MS });
});

test("an expired position is not listed, and consuming starts anew", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create my-topic");
  await out("produce my-topic", "a\nb\n");
  await out("consume my-topic -c c1 --ttl 300ms --until-end");
  await eventually(
    async () => ((await positions(workspace)).length === 0 ? true : undefined),
    "the position to expire",
  );
  expect(await out("consume my-topic -c c1 --until-end --start end-1")).toBe("b\n");
});

test("a position that is changed while it is in use keeps its reader going", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create my-topic");
  await out("produce my-topic", "a\n");
  const reader = workspace.start(["consume", "my-topic", "-c", "c1", "--flush", "50"]);
  await reader.lines(1);
  await out("consumer set c1 --ttl 12h");
  await out("produce my-topic", "b\n");
  await reader.lines(2);
  reader.kill("SIGINT");
  expect((await reader.ended).code).toBe(0);
  expect(await positions(workspace)).toMatchObject([{ consumer: "c1", nextOffset: "2", ttl: 12 * HOUR_MS }]);
});
