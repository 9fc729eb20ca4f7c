import type { TopicConfig } from "@tidemark/core";
import type { Command } from "commander";
import { adminOf, contextOf } from "../../context/command-context.ts";
import { withUsageErrors } from "../../failure/with-usage-errors.ts";
import { quoted } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import { limitOf, parseByteLimit, parseCount, parseName, parseTtl, type LimitOption } from "../option-values.ts";

interface CreateOptions {
  readonly partitions?: number;
  readonly consumerTtl?: LimitOption;
  readonly retentionTime?: LimitOption;
  readonly retentionBytes?: LimitOption;
}

/** `tidemark topic create NAME`. */
export function addTopicCreateCommand(topic: Command): void {
  topic
    .command("create")
    .description("Create a topic.")
    .argument("<name>", "the topic's name", parseName)
    .option(
      "--partitions <number>",
      "the number of partitions; more can be added later (default: Kafka: the brokers' setting; local: 1)",
      parseCount,
    )
    .option(
      "--consumer-ttl <duration>",
      'how long a consumer\'s position lives unless renewed, or "none" (default)',
      parseTtl,
    )
    .option(
      "--retention-time <duration>",
      'records older than this are deleted, or "none" (default: Kafka: the brokers\' setting; local: none)',
      parseTtl,
    )
    .option(
      "--retention-bytes <bytes>",
      'the oldest records of a partition are deleted beyond this, or "none" (default: Kafka: the brokers\' setting; local: none)',
      parseByteLimit,
    )
    .addHelpText(
      "after",
      examples(
        "topic create orders",
        "topic create orders --partitions 2 --consumer-ttl 24h",
        "topic create clicks --retention-time 7d --retention-bytes 2GiB",
      ),
    )
    .action(async (name: string, options: CreateOptions, command: Command) => {
      const context = await contextOf(command);
      await using log = await context.openLog();
      const config: TopicConfig = {
        ...(options.partitions !== undefined && { partitions: options.partitions }),
        ...(options.consumerTtl !== undefined && { consumerTtl: limitOf(options.consumerTtl) }),
        ...(options.retentionTime !== undefined && { retentionMs: limitOf(options.retentionTime) }),
        ...(options.retentionBytes !== undefined && { retentionBytes: limitOf(options.retentionBytes) }),
      };
      await withUsageErrors(() => adminOf(log).createTopic(name, config));
      const { topicDocument } = await import("./topic-document.ts");
      const document = topicDocument(await adminOf(log).describeTopic(name));
      await context.print(document, () => `topic ${quoted(name)} created\n`);
    });
}
