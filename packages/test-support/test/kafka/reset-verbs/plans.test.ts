import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openKafkaLog } from "@tidemark/source-kafka";
import { afterAll, beforeAll, expect, it } from "vitest";
import { describeWithKafkaTools, PATIENT_KAFKA } from "@tidemark/test-support/servers";
import { type KafkaGroups, openKafkaGroups } from "./ask-kafka.ts";
import { openTidemarkPositions, type TidemarkPositions } from "./ask-tidemark.ts";
import { placeOf } from "./tool-answer.ts";

await describeWithKafkaTools((server, tools) => {
  const cleanup = new AsyncDisposableStack();
  const topic = `plans-${randomUUID()}`;
  let folder: string;
  let groups: KafkaGroups;
  let positions: TidemarkPositions;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "tidemark-plans-"));
    cleanup.defer(() => rm(folder, { recursive: true, force: true }));
    const broker = new URL(server.url).host;
    const log = cleanup.use(await openKafkaLog({ brokers: [broker], ...PATIENT_KAFKA }));
    await log.admin.createTopic(topic, { partitions: 2, retentionMs: null });
    for (const partition of [0, 1]) {
      await log.producer.produce(
        topic,
        partition,
        Array.from({ length: 10 }, () => ({ value: Buffer.from("x") })),
      );
    }
    groups = cleanup.use(openKafkaGroups(tools, broker, folder));
    positions = cleanup.use(await openTidemarkPositions(folder, server.url));
  });
  afterAll(() => cleanup.disposeAsync());

  // Of a group's name Kafka wants nothing but that it is there.
  const oddName = (): string => `,"é ${randomUUID()}`;
  const at = (first: bigint, second: bigint): Map<string, bigint> =>
    new Map([
      [placeOf(topic, 0), first],
      [placeOf(topic, 1), second],
    ]);
  const writeToKafka = (group: string, first: bigint, second: bigint): Promise<void> =>
    groups.write(
      group,
      new Map([
        [
          topic,
          new Map([
            [0, first],
            [1, second],
          ]),
        ],
      ]),
    );
  const writeToTidemark = async (consumer: string, first: bigint, second: bigint): Promise<void> => {
    await positions.store.reset([
      { key: { consumer, topic, partition: 0 }, nextOffset: first, metadata: "m" },
      { key: { consumer, topic, partition: 1 }, nextOffset: second, ttl: 3_600_000 },
    ]);
  };

  it("takes over the commits of a group of Kafka", async () => {
    const group = oddName();
    await writeToKafka(group, 3n, 7n);
    const { csv, said } = await groups.runTool([
      "--group",
      group,
      "--all-topics",
      "--to-current",
      "--dry-run",
      "--export",
    ]);
    expect(csv.split("\n"), said).toHaveLength(2);
    const plan = await positions.run(["consumer", "import", "-c", group], `${csv}\n\n`);
    expect(plan).toMatchObject({ code: 0, stderr: expect.stringContaining("nothing was written") as unknown });
    expect(await positions.read(group)).toEqual(new Map());
    expect(await positions.run(["consumer", "import", "-c", group, "--execute"], csv)).toMatchObject({ code: 0 });
    expect(await positions.read(group)).toEqual(at(3n, 7n));
  });

  it("takes over the commits of several groups at once", async () => {
    const [one, other] = [oddName(), oddName()];
    await writeToKafka(one, 1n, 2n);
    await writeToKafka(other, 3n, 4n);
    const scope = ["--group", one, "--group", other, "--all-topics"];
    const { csv, said } = await groups.runTool([...scope, "--to-current", "--dry-run", "--export"]);
    expect(csv.split("\n"), said).toHaveLength(4);
    expect(await positions.run(["consumer", "import", "--execute"], csv)).toMatchObject({ code: 0 });
    expect(await positions.read(one)).toEqual(at(1n, 2n));
    expect(await positions.read(other)).toEqual(at(3n, 4n));
  });

  it("hands a consumer's positions to a group of Kafka", async () => {
    const consumer = oddName();
    await writeToTidemark(consumer, 4n, 6n);
    const exported = await positions.run(["consumer", "export", consumer, "--csv"]);
    expect(exported).toMatchObject({
      code: 0,
      stderr: expect.stringContaining("metadata or TTL of 2 positions") as unknown,
    });
    const file = join(folder, `${randomUUID()}.csv`);
    await writeFile(file, exported.stdout);
    const { isRefused, said } = await groups.runTool(["--group", consumer, "--from-file", file, "--execute"]);
    expect(isRefused, said).toBe(false);
    expect(await groups.read(consumer)).toEqual(at(4n, 6n));
  });

  it("hands the positions of several consumers to their groups", async () => {
    const [one, other] = [oddName(), oddName()];
    await writeToTidemark(one, 5n, 6n);
    await writeToTidemark(other, 7n, 8n);
    const exported = await positions.run(["consumer", "export", one, other, "--csv"]);
    const file = join(folder, `${randomUUID()}.csv`);
    await writeFile(file, exported.stdout);
    const { isRefused, said } = await groups.runTool([
      ...["--group", one, "--group", other],
      ...["--from-file", file, "--execute"],
    ]);
    expect(isRefused, said).toBe(false);
    expect(await groups.read(one)).toEqual(at(5n, 6n));
    expect(await groups.read(other)).toEqual(at(7n, 8n));
  });

  it("does not ask the log about a plan, as Kafka's tool does", async () => {
    const group = oddName();
    const plan = `${topic},0,99\n`;
    const file = join(folder, `${randomUUID()}.csv`);
    await writeFile(file, plan);
    const { isRefused, said } = await groups.runTool(["--group", group, "--from-file", file, "--execute"]);
    expect(isRefused, said).toBe(false);
    expect(await groups.read(group)).toEqual(new Map([[placeOf(topic, 0), 10n]]));
    expect(await positions.run(["consumer", "import", "-c", group, "--execute"], plan)).toMatchObject({ code: 0 });
    expect(await positions.read(group)).toEqual(new Map([[placeOf(topic, 0), 99n]]));

    const elsewhere = "there-is-none,0,5\n";
    await writeFile(file, elsewhere);
    expect((await groups.runTool(["--group", group, "--from-file", file, "--execute"])).isRefused).toBe(true);
    expect(await positions.run(["consumer", "import", "-c", group, "--execute"], elsewhere)).toMatchObject({ code: 0 });
  });
});
