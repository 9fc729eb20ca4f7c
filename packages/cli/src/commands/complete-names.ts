import { existsSync } from "node:fs";
import type { Argument, Complete, Option, RootCommand } from "@bomb.sh/tab";
import type { Command } from "commander";
import { contextOf, type CommandContext } from "../context/command-context.ts";
import { withPatience } from "../context/with-patience.ts";

/** What a shell takes as one word without quotes: anything else, typed by a completion, could be a command. */
const PLAIN_WORD = /^[\p{L}\p{N}_.@%+=,][\p{L}\p{N}_.@%+=,:/-]*$/u;

type Kind = "topic" | "consumer";

/** Thrown where names are wanted: what completes them must not wait, and only then a store or a log is opened. */
class NamesWanted extends Error {
  readonly kind: Kind;

  constructor(kind: Kind) {
    super(`names of ${kind}s are wanted`);
    this.kind = kind;
  }
}

/**
 * Answers a press of the tab key, with the names of topics and consumers where one stands. Where they cannot be had, in time
 * and without a word, there are none.
 *
 * @param createCommands - Makes the commands, which are asked for the store and the log that the words name.
 */
export async function complete(
  completion: RootCommand,
  words: readonly string[],
  createCommands: () => Command,
): Promise<void> {
  completeWith(completion, (kind) => {
    throw new NamesWanted(kind);
  });
  try {
    completion.parse([...words]);
  } catch (error) {
    if (!(error instanceof NamesWanted)) throw error;
    const names = await namesOf(error.kind, words, createCommands());
    completeWith(completion, () => names);
    completion.parse([...words]);
  }
}

function completeWith(completion: RootCommand, toNames: (kind: Kind) => readonly string[]): void {
  const set = (where: Argument | Option, kind: Kind | undefined): void => {
    if (kind === undefined) return;
    where.handler = (offer: Complete) => {
      for (const name of toNames(kind)) offer(name, "");
    };
  };
  for (const [path, command] of completion.commands) {
    for (const argument of command.arguments.values()) set(argument, kindOf(path, argument.name));
    for (const [name, option] of command.options)
      set(option, name === "topic" || name === "consumer" ? name : undefined);
  }
}

/** Whose names an argument takes, if it takes any that are there. */
function kindOf(path: string, argument: string): Kind | undefined {
  if (argument === "topic") return "topic";
  if (argument !== "name" || path === "topic create") return undefined;
  return path.startsWith("topic ") ? "topic" : "consumer";
}

async function namesOf(kind: Kind, words: readonly string[], program: Command): Promise<readonly string[]> {
  try {
    // Those of the program itself: where the store is, and the log.
    program.parseOptions([...words]);
    const context = await contextOf(program);
    // The user waits for it after pressing the tab key.
    const names = await withPatience((signal) =>
      kind === "topic" ? topicsOf(context, signal) : consumersOf(context, signal),
    );
    return [...names].filter((name) => PLAIN_WORD.test(name)).sort();
  } catch {
    return [];
  }
}

async function topicsOf(context: CommandContext, signal: AbortSignal): Promise<Iterable<string>> {
  const { log: url, defaultFile } = context.settings;
  if (url === undefined && !existsSync(defaultFile())) return [];
  await using log = await context.openLogThatIsThere();
  const topics = (await log.admin?.listTopics({ signal })) ?? [];
  return topics.flatMap(({ name, internal }) => (internal ? [] : [name]));
}

async function consumersOf(context: CommandContext, signal: AbortSignal): Promise<Iterable<string>> {
  const { store: url, defaultFile } = context.settings;
  if (url === undefined && !existsSync(defaultFile())) return [];
  await using store = await context.openStoreThatIsThere();
  const names = new Set<string>();
  for await (const { consumer } of store.list({}, { signal })) names.add(consumer);
  return names;
}
