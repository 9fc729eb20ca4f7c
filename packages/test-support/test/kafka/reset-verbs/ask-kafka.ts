import { Admin, Consumer } from "@platformatic/kafka";
import type { KafkaTools } from "@tidemark/test-support/servers";
import type { RequestedPartition, ResetRequest } from "./reset-requests.ts";
import type { ResetTopics, TopicKind } from "./reset-topics.ts";
import { placeOf, type ToolAnswer } from "./tool-answer.ts";

const TOOL = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";

/** Kafka's own keeping of positions. */
export interface KafkaGroups extends AsyncDisposable {
  /** Writes a group's positions. */
  write(group: string, positions: ReadonlyMap<string, ReadonlyMap<number, bigint>>): Promise<void>;
  /** Reads them, by `TOPIC/PARTITION`. */
  read(group: string): Promise<Map<string, bigint>>;
  /** Runs `kafka-consumer-groups --reset-offsets`. */
  runTool(
    args: readonly string[],
  ): Promise<{ readonly isRefused: boolean; readonly csv: string; readonly said: string }>;
  /** Joins a group until it is disposed of. */
  join(group: string, topic: string): Promise<AsyncDisposable>;
}

/** Opens them. `folder`: where the files of plans lie. */
export function openKafkaGroups(tools: KafkaTools, broker: string, folder: string): KafkaGroups {
  // The broker makes its topic of groups when it is first asked: that takes it longer than three attempts.
  const client = { clientId: "tidemark-test", bootstrapBrokers: [broker], retries: 30 };
  const admin = new Admin(client);
  return {
    async write(groupId, positions) {
      const topics = [...positions].map(([name, offsets]) => ({
        name,
        partitionOffsets: [...offsets].map(([partition, offset]) => ({ partition, offset })),
      }));
      if (topics.length > 0) await admin.alterConsumerGroupOffsets({ groupId, topics });
    },
    async read(group) {
      const [found] = await admin.listConsumerGroupOffsets({ groups: [group] });
      const entries = (found?.topics ?? []).flatMap(({ name, partitions }) =>
        partitions
          .filter(({ committedOffset }) => committedOffset >= 0n)
          .map(({ partitionIndex, committedOffset }) => [placeOf(name, partitionIndex), committedOffset] as const),
      );
      return new Map(entries);
    },
    async runTool(args) {
      const { code, stdout, stderr } = await tools.run(
        TOOL,
        // Its own five seconds are short for a program that has just begun, on a busy machine.
        ["--bootstrap-server", broker, "--timeout", "60000", "--reset-offsets", ...args],
        folder,
      );
      // It exits with 0 for most of what it could not do, and says it where the plan would be.
      const isRefused = code !== 0 || /^Error: /m.test(stdout);
      const csv = stdout
        .split("\n")
        .filter((line) => /,\d+,\d+$/.test(line))
        .join("\n");
      return { isRefused, csv, said: `exit code ${code}\n${stdout}\n${stderr.slice(0, 4000)}` };
    },
    async join(groupId, topic) {
      const consumer = new Consumer({ ...client, groupId });
      const stream = await consumer.consume({ topics: [topic] });
      stream.on("error", () => {});
      return {
        async [Symbol.asyncDispose]() {
          await consumer.close(true);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await admin.close();
    },
  };
}

/** Asks Kafka's tool. */
export async function askKafka(
  groups: KafkaGroups,
  topics: ResetTopics,
  group: string,
  request: ResetRequest,
): Promise<ToolAnswer> {
  const positions = new Map<string, Map<number, bigint>>();
  for (const { topic, partition, stored } of request.partitions) {
    const name = topics.name(topic);
    if (stored !== undefined)
      positions.set(name, (positions.get(name) ?? new Map<number, bigint>()).set(partition, stored));
  }
  await groups.write(group, positions);
  await using _ = request.isActive === true ? await groups.join(group, topics.name("full")) : undefined;
  const { isRefused, csv, said } = await groups.runTool([
    ...["--group", group, "--export", request.mode === "plan" ? "--dry-run" : "--execute"],
    ...scopeOf(request, topics),
    ...request.verb(topics.firstAtMs),
  ]);
  const printed = new Map<string, bigint>();
  for (const line of csv.split("\n")) {
    // It puts quotes around names that are long.
    const [topic, partition, offset] = line.replaceAll('"', "").split(",");
    if (topic !== undefined && offset !== undefined) printed.set(placeOf(topic, Number(partition)), BigInt(offset));
  }
  return { isRefused, printed, stored: await groups.read(group), said };
}

function scopeOf({ scope = "topics", partitions }: ResetRequest, topics: ResetTopics): string[] {
  const names = topicsOf(partitions).map((kind) => topics.name(kind));
  switch (scope) {
    case "all-topics":
      return ["--all-topics"];
    case "unknown-topic":
      return [...names, "there-is-none"].flatMap((name) => ["--topic", name]);
    case "unknown-partition":
      return names.flatMap((name) => ["--topic", `${name}:0,7`]);
    case "partition-1":
      return names.flatMap((name) => ["--topic", `${name}:1`]);
    case "topics":
      return names.flatMap((name) => ["--topic", name]);
  }
}

/** The kinds of topics that partitions are of, each once. */
export function topicsOf(partitions: readonly RequestedPartition[]): TopicKind[] {
  return [...new Set(partitions.map(({ topic }) => topic))];
}
