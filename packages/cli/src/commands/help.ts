import type { Command } from "commander";
import { UsageError } from "../failure/usage-error.ts";

/** `tidemark help [COMMAND]...`: the same as `tidemark COMMAND --help`. */
export function addHelpCommand(program: Command): void {
  program
    .command("help")
    .description("Show the help of a command.")
    .argument("[command...]", "the command, for example: consumer reset")
    .action((names: readonly string[]) => {
      let command = program;
      for (const name of names) {
        const found = command.commands.find((each) => each.name() === name);
        if (found === undefined) throw new UsageError(unknownText(command, name));
        command = found;
      }
      command.help();
    });
}

function unknownText(command: Command, name: string): string {
  const known = command
    .createHelp()
    .visibleCommands(command)
    .map((each) => each.name());
  const where = command.parent === null ? "there is no command" : `${command.name()} has no command`;
  return `${where} ${JSON.stringify(name)}${known.length === 0 ? "" : `: known are ${known.join(", ")}`}`;
}
