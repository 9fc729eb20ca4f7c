import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { addCompletionCommand } from "./commands/completion.ts";
import { addConsumeCommand } from "./commands/consume/consume.ts";
import { addConsumerDeleteCommand } from "./commands/consumer/delete.ts";
import { addConsumerDescribeCommand } from "./commands/consumer/describe.ts";
import { addConsumerExportCommand } from "./commands/consumer/export.ts";
import { addConsumerImportCommand } from "./commands/consumer/import.ts";
import { addConsumerListCommand } from "./commands/consumer/list.ts";
import { addConsumerMembersCommand } from "./commands/consumer/members.ts";
import { addConsumerResetCommand } from "./commands/consumer/reset.ts";
import { addConsumerSetCommand } from "./commands/consumer/set.ts";
import { examples } from "./commands/examples.ts";
import { addHelpCommand } from "./commands/help.ts";
import { collectText } from "./commands/option-values.ts";
import { addMonitorCommand } from "./commands/monitor/monitor.ts";
import { addProduceCommand } from "./commands/produce/produce.ts";
import { urlsHelp } from "./commands/urls.ts";
import { addTopicAlterCommand } from "./commands/topic/alter.ts";
import { addTopicCreateCommand } from "./commands/topic/create.ts";
import { addTopicDeleteCommand } from "./commands/topic/delete.ts";
import { addTopicDescribeCommand } from "./commands/topic/describe.ts";
import { addTopicListCommand } from "./commands/topic/list.ts";
import { say } from "./context/standard-streams.ts";
import { oneLine } from "./failure/report-failure.ts";
import { outputFormats } from "./output/output-format.ts";

/** Makes the whole command line. Only what defines it is loaded; a command loads what it needs when it runs. */
export function createProgram(): Command {
  const program = createCommands();
  addCompletionCommand(program, createCommands);
  return program;
}

/** All of it but completion for shells. */
function createCommands(): Command {
  const program = new Command("tidemark")
    .description("Topics, their records, and the durable positions of their consumers.")
    .version(versionOfPackage(), "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand(false)
    .exitOverride()
    .configureOutput({
      outputError: (text) => say(`tidemark: ${oneLine(text).replace(/^error: /, "")}`),
    })
    .option(
      "--store <url>",
      "where positions are stored, or TIDEMARK_STORE (default: a SQLite file in your data folder)",
    )
    .option(
      "--namespace <name>",
      'the namespace of the positions in the store, or TIDEMARK_NAMESPACE (default: "tidemark")',
    )
    .option("--log <url>", "where topics are stored, or TIDEMARK_LOG (default: the same SQLite file)")
    .addOption(
      new Option("-O, --output <format>", 'the format of the output (default: "table")').choices([...outputFormats]),
    )
    .option(
      "--plugin <package>",
      "a package with additional stores or logs, may repeat, or TIDEMARK_PLUGINS=a,b",
      collectText,
    )
    .option(
      "--config <file>",
      "config file, or TIDEMARK_CONFIG (default: tidemark.json or .yaml here or in your config folder)",
    )
    .option("--verbose", "print more, and the causes of an error")
    .addHelpText(
      "after",
      `${examples(
        "topic create orders --partitions 2 --consumer-ttl 7d",
        "produce orders < orders.txt",
        "consume orders --consumer billing --all",
        "consumer list",
      )}\n${urlsHelp}\n\nExit codes: 0 done, 1 failed, 2 wrong usage.`,
    )
    .addHelpText("afterAll", ({ command }) => (command.parent === null ? "" : globalOptionsLine(command)));

  const topic = program.command("topic").helpCommand(false).description("Create, show, alter and delete topics.");
  addTopicCreateCommand(topic);
  addTopicAlterCommand(topic);
  addTopicListCommand(topic);
  addTopicDescribeCommand(topic);
  addTopicDeleteCommand(topic);
  addProduceCommand(program);
  addConsumeCommand(program);
  const consumer = program
    .command("consumer")
    .helpCommand(false)
    .description("Show, change, reset, copy and delete the positions of consumers.");
  addConsumerListCommand(consumer);
  addConsumerMembersCommand(consumer);
  addConsumerDescribeCommand(consumer);
  addConsumerSetCommand(consumer);
  addConsumerDeleteCommand(consumer);
  addConsumerResetCommand(consumer);
  addConsumerExportCommand(consumer);
  addConsumerImportCommand(consumer);
  addMonitorCommand(program);
  addHelpCommand(program);
  return program;
}

/** What every command takes fits on a line: the program's own help explains it. */
function globalOptionsLine(command: Command): string {
  let program = command;
  while (program.parent !== null) program = program.parent;
  const own = new Set(["--version", "--help"]);
  const flags = program.options.filter(({ long }) => !own.has(long ?? "")).map((option) => option.flags);
  return `\nGlobal options: ${flags.join("; ")} (see tidemark --help)`;
}

function versionOfPackage(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
  return String((manifest as { version?: unknown }).version);
}
