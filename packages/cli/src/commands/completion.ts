import type { RootCommand } from "@bomb.sh/tab";
import type { Command } from "commander";
import { examples } from "./examples.ts";

const SHELLS = ["bash", "zsh", "fish"];

/**
 * `tidemark completion SHELL`, and the hidden `tidemark complete`, which the script that the first writes runs at each press of
 * the tab key.
 *
 * @param createCommands - Makes all that is completed.
 */
export function addCompletionCommand(program: Command, createCommands: () => Command): void {
  program
    .command("completion")
    .description(
      "Write a script that lets your shell complete commands, options, and the names of topics and consumers.",
    )
    .addArgument(program.createArgument("<shell>", "the shell").choices(SHELLS))
    .addHelpText(
      "after",
      `${examples("completion bash > ~/.local/share/bash-completion/completions/tidemark")}
  $ echo 'source <(tidemark completion zsh)' >> ~/.zshrc
  $ tidemark completion fish > ~/.config/fish/completions/tidemark.fish`,
    )
    .action(async (shell: string) => {
      const completion = await describeTo(createCommands());
      completion.setup("tidemark", "tidemark", shell);
    });
  program
    .command("complete", { hidden: true })
    .argument("[words...]")
    .action(async (words: string[]) => {
      const { complete } = await import("./complete-names.ts");
      await complete(await describeTo(createCommands()), words, createCommands);
    });
}

async function describeTo(commands: Command): Promise<RootCommand> {
  const { default: describe } = await import("@bomb.sh/tab/commander");
  const completion = describe(commands, { completionCommandName: "completion" });
  const shell = completion.commands.get("completion")?.arguments.get("shell");
  // The library offers every shell that it has a script for, also those that this command refuses.
  if (shell !== undefined) {
    shell.handler = (offer) => {
      for (const name of SHELLS) offer(name, "");
    };
  }
  return completion;
}
