import type { LogSource, OffsetKey, TopicDescription } from "@tidemark/core";
import type { Command } from "commander";
import { adminOf, contextOf } from "../../context/command-context.ts";
import { formatTable } from "../../output/table.ts";
import { visibleText } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import { withNearTopic } from "../near-topic.ts";
import { parseName } from "../option-values.ts";
import { bytesCell, durationCell, topicDocument } from "./topic-document.ts";

interface PartitionBounds {
  readonly partition: number;
  readonly start: bigint;
  readonly end: bigint;
}

/** `tidemark topic describe NAME`. */
export function addTopicDescribeCommand(topic: Command): void {
  topic
    .command("describe")
    .description("Show a topic: its settings, its partitions, and its consumers.")
    .argument("<name>", "the topic's name", parseName)
    .addHelpText("after", examples("topic describe orders", "topic describe orders -O yaml"))
    .action(async (name: string, _options: object, command: Command) => {
      const context = await contextOf(command);
      await using log = await context.openLogThatIsThere();
      const description = await withNearTopic(log, () => adminOf(log).describeTopic(name));
      const bounds = await boundsOf(log, name);
      await using store = await context.openStoreThatIsThere();
      const { comparePositions } = await import("../consumer/position-order.ts");
      const { listAll } = await import("../consumer/list-all.ts");
      const { records, unreadable, failure } = await listAll(store, { topic: name });
      // That there is a position is known of each, also of one that cannot be read.
      const consumers = [...records, ...unreadable].sort(comparePositions);
      const document = {
        ...topicDocument(description),
        offsets: bounds.map(({ partition, start, end }) => ({ partition, start: String(start), end: String(end) })),
        consumers: consumers.map(({ consumer, partition }) => ({ consumer, partition })),
      };
      await context.print(document, () => describe(description, bounds, consumers));
      if (failure !== undefined) throw failure;
    });
}

async function boundsOf(log: LogSource, topic: string): Promise<PartitionBounds[]> {
  const { EARLIEST_TIMESTAMP, LATEST_TIMESTAMP } = await import("@tidemark/core");
  const partitions = await log.partitions(topic);
  const answers = await log.listOffsets(
    topic,
    partitions.flatMap((partition) => [
      { partition, timestamp: EARLIEST_TIMESTAMP },
      { partition, timestamp: LATEST_TIMESTAMP },
    ]),
  );
  return partitions.map((partition, index) => ({
    partition,
    start: answers[2 * index]?.offset ?? 0n,
    end: answers[2 * index + 1]?.offset ?? 0n,
  }));
}

async function describe(
  topic: TopicDescription,
  bounds: readonly PartitionBounds[],
  consumers: readonly OffsetKey[],
): Promise<string> {
  const table = await formatTable(
    ["PARTITION", "START", "END"],
    bounds.map(({ partition, start, end }) => [String(partition), String(start), String(end)]),
  );
  return [
    `Name: ${visibleText(topic.name)}`,
    `Partition Count: ${topic.partitions}`,
    `Consumer TTL: ${durationCell(topic.consumerTtl)}`,
    `Retention Time: ${durationCell(topic.retentionMs)}`,
    `Retention Bytes: ${bytesCell(topic.retentionBytes)}`,
    "Partitions:",
    ...table
      .trimEnd()
      .split("\n")
      .map((line) => `  ${line}`),
    consumers.length === 0 ? "Consumers: none" : "Consumers:",
    ...consumers.map(({ consumer, partition }) => `  - ${visibleText(consumer)}/${partition}`),
    "",
  ].join("\n");
}
