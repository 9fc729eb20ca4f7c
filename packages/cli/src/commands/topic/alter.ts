import type { OffsetRecord, OffsetStore, TopicAlteration } from "@tidemark/core";
import type { Command } from "commander";
import { adminOf, contextOf } from "../../context/command-context.ts";
import { say } from "../../context/standard-streams.ts";
import { UsageError } from "../../failure/usage-error.ts";
import { withUsageErrors } from "../../failure/with-usage-errors.ts";
import { counted, quoted } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import { withNearTopic } from "../near-topic.ts";
import { limitOf, parseByteLimit, parseCount, parseName, parseTtl, type LimitOption } from "../option-values.ts";

interface AlterOptions {
  readonly partitions?: number;
  readonly consumerTtl?: LimitOption;
  readonly retentionTime?: LimitOption;
  readonly retentionBytes?: LimitOption;
}

/** `tidemark topic alter NAME`. */
export function addTopicAlterCommand(topic: Command): void {
  topic
    .command("alter")
    .description(
      "Change a topic. A new consumer TTL also applies to positions that have the old one; positions with a TTL of their own, or without one, are not changed.",
    )
    .argument("<name>", "the topic's name", parseName)
    .option("--partitions <number>", "the number of partitions; can only grow", parseCount)
    .option("--consumer-ttl <duration>", 'how long a consumer\'s position lives unless renewed, or "none"', parseTtl)
    .option("--retention-time <duration>", 'records older than this are deleted, or "none"', parseTtl)
    .option(
      "--retention-bytes <bytes>",
      'the oldest records of a partition are deleted beyond this, or "none"',
      parseByteLimit,
    )
    .addHelpText(
      "after",
      examples(
        "topic alter orders --consumer-ttl 12h",
        "topic alter orders --partitions 4",
        "topic alter orders --retention-time none",
      ),
    )
    .action(async (name: string, options: AlterOptions, command: Command) => {
      const alteration: TopicAlteration = {
        ...(options.partitions !== undefined && { partitions: options.partitions }),
        ...(options.consumerTtl !== undefined && { consumerTtl: limitOf(options.consumerTtl) }),
        ...(options.retentionTime !== undefined && { retentionMs: limitOf(options.retentionTime) }),
        ...(options.retentionBytes !== undefined && { retentionBytes: limitOf(options.retentionBytes) }),
      };
      if (Object.keys(alteration).length === 0) {
        throw new UsageError("topic alter needs something to change: see tidemark topic alter --help");
      }
      const context = await contextOf(command);
      await using log = await context.openLogThatIsThere();
      const before = await withNearTopic(log, () => adminOf(log).describeTopic(name));
      const alter = (changes: TopicAlteration): Promise<void> => {
        const run = (): Promise<void> => adminOf(log).alterTopic(name, changes);
        // That the topic has more partitions already is nothing that the command line says.
        return (changes.partitions ?? Infinity) < before.partitions ? run() : withUsageErrors(run);
      };
      if (options.consumerTtl === undefined) {
        await alter(alteration);
      } else {
        // Opened before anything is changed: one that is mistyped, or cannot be reached, must not leave half of it done. Once the
        // topic has the new TTL, nothing tells which positions had the old one.
        await using store = await context.openStoreThatIsThere(
          "if no consumer has a position yet, add --store memory:",
        );
        const consumerTtl = limitOf(options.consumerTtl);
        const { consumerTtl: _, ...others } = alteration;
        // First what the log may refuse. The topic's TTL comes last: the same command, run again after a death in between,
        // still finds there which positions have the old one.
        if (Object.keys(others).length > 0) await alter(others);
        const { changed, withoutTtl } = await passOn(store, name, before.consumerTtl, consumerTtl);
        await alter({ consumerTtl });
        const on = `on topic ${JSON.stringify(name)}`;
        say(`${counted(changed, "position")} ${on} had the topic's TTL and got the new one`);
        if (withoutTtl > 0) {
          say(
            `${counted(withoutTtl, "position")} ${on} have no TTL and were not changed; tidemark consumer set gives them one`,
          );
        }
      }
      const { topicDocument } = await import("./topic-document.ts");
      const document = topicDocument(await adminOf(log).describeTopic(name));
      await context.print(document, () => `topic ${quoted(name)} altered\n`);
    });
}

/** How many positions got the new TTL, and how many have none while the topic has one. */
interface PassedOn {
  readonly changed: number;
  readonly withoutTtl: number;
}

/**
 * Gives the new TTL to the positions that have the old one. What a position was given on its own stays; one without a TTL may
 * have been given just that, and must not be lost.
 */
async function passOn(
  store: OffsetStore,
  topic: string,
  oldTtl: number | undefined,
  newTtl: number | null,
): Promise<PassedOn> {
  const inherited: OffsetRecord[] = [];
  let withoutTtl = 0;
  for await (const record of store.list({ topic })) {
    if (record.ttl === undefined) withoutTtl += newTtl === null ? 0 : 1;
    else if (record.ttl === oldTtl && oldTtl !== newTtl) inherited.push(record);
  }
  const outcomes = await store.expire(
    inherited.map(({ consumer, partition }) => ({ key: { consumer, topic, partition }, ttl: newTtl })),
  );
  for (const outcome of outcomes) if (outcome.status === "failed") throw outcome.error;
  return { changed: outcomes.filter(({ status }) => status === "set").length, withoutTtl };
}
