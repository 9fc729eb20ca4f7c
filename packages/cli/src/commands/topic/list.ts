import type { Command } from "commander";
import { adminOf, contextOf } from "../../context/command-context.ts";
import { say } from "../../context/standard-streams.ts";
import { formatTable } from "../../output/table.ts";
import { examples } from "../examples.ts";
import { bytesCell, durationCell, topicDocument } from "./topic-document.ts";

/** `tidemark topic list`. */
export function addTopicListCommand(topic: Command): void {
  topic
    .command("list")
    .description("List the topics.")
    .option("--all", "also internal topics, whose names begin with __")
    .addHelpText("after", examples("topic list", "topic list --all -O json"))
    .action(async ({ all }: { all?: boolean }, command: Command) => {
      const context = await contextOf(command);
      await using log = await context.openLogThatIsThere();
      const topics = (await adminOf(log).listTopics()).filter(({ internal }) => all === true || !internal);
      if (topics.length === 0 && context.settings.output === "table") return say("no topics");
      await context.print(topics.map(topicDocument), () =>
        formatTable(
          ["NAME", "PARTITIONS", "CONSUMER-TTL", "RETENTION-TIME", "RETENTION-BYTES"],
          topics.map((each) => [
            each.name,
            String(each.partitions),
            durationCell(each.consumerTtl),
            durationCell(each.retentionMs),
            bytesCell(each.retentionBytes),
          ]),
        ),
      );
    });
}
