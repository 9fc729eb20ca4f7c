import { InvalidArgumentError, type Command } from "commander";
import { contextOf, producerOf } from "../../context/command-context.ts";
import { say } from "../../context/standard-streams.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { UsageError } from "../../failure/usage-error.ts";
import { messageOf } from "../../failure/report-failure.ts";
import { counted } from "../../text/visible-text.ts";
import { withNearTopic } from "../near-topic.ts";
import { examples } from "../examples.ts";
import { once, parseName, parsePartition } from "../option-values.ts";

interface ProduceOptions {
  readonly partition?: number;
  readonly keySeparator?: string;
  readonly json?: boolean;
}

/** `tidemark produce NAME`. */
export function addProduceCommand(program: Command): void {
  program
    .command("produce")
    .description(
      "Write records from standard input, one per line. Without --partition a record with a key goes to the partition of its key, the others to each partition in turn.",
    )
    .argument("<topic>", "the topic's name", parseName)
    .option("-p, --partition <number>", "all records to this partition", once(parsePartition))
    .option(
      "--key-separator <text>",
      "the separator between a record's key and its value (default: no keys)",
      parseSeparator,
    )
    .option("--json", "each line is a record in the format of consume -O json: key, value, headers, timestamp")
    .addHelpText(
      "after",
      `
With --json, value null is a tombstone, and bytes that are not text are { "base64": "…" }. Headers are [{ "name": …, "value": … }].
topic, partition and offset in the input are ignored, so that the output of consume can be written to another topic.
${examples(
  "produce orders < orders.txt",
  "produce orders --partition 1",
  "produce orders --key-separator : <<< customer-7:order-1",
  `produce orders --json <<< '{"key":"customer-7","value":null}'`,
  "consume orders -O json --all --until-end | tidemark produce copy --json",
)}`,
    )
    .action(async (topic: string, options: ProduceOptions, command: Command) => {
      if (options.json === true && options.keySeparator !== undefined) {
        throw new UsageError("--json and --key-separator exclude each other");
      }
      const context = await contextOf(command);
      await using log = await context.openLogThatIsThere();
      const producer = producerOf(log);
      const { requirePartitions } = await import("@tidemark/core/positions");
      const partitions = await withNearTopic(log, () => log.partitions(topic));
      if (options.partition !== undefined) requirePartitions(topic, partitions, [options.partition]);
      const { onePartition, spreadOver } = await import("./partition-choice.ts");
      const { produceLines } = await import("./produce-lines.ts");
      const { reportProgress } = await import("../progress.ts");
      const { readStandardInput } = await import("./standard-input.ts");
      const progress = reportProgress("written");
      const input = readStandardInput();
      if (process.stdin.isTTY) say("type a record and press Enter, each on a line of its own; Ctrl-D ends");
      let written = 0;
      try {
        await produceLines({
          input: input.chunks,
          producer,
          topic,
          choosePartition: options.partition === undefined ? spreadOver(partitions) : onePartition(options.partition),
          keySeparator: options.keySeparator,
          isJson: options.json,
          onProgress: (count) => {
            written = count;
            progress.update(count);
          },
        });
      } catch (error) {
        throw new CommandFailure(`${messageOf(error)}; ${counted(written, "record")} written before`, { cause: error });
      } finally {
        progress.end();
        input.close();
      }
      say(`${counted(written, "record")} written to topic ${JSON.stringify(topic)}`);
    });
}

function parseSeparator(text: string): string {
  if (text === "") throw new InvalidArgumentError("It must not be empty.");
  return text;
}
