import type { LogSource, OffsetKey, OffsetStore } from "@tidemark/core";
import type { Command } from "commander";
import { adminOf, contextOf } from "../../context/command-context.ts";
import { confirm } from "../../context/confirm.ts";
import { say } from "../../context/standard-streams.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { messageOf } from "../../failure/report-failure.ts";
import { deletedLines } from "../consumer/deleted-lines.ts";
import { listAll } from "../consumer/list-all.ts";
import { comparePositions } from "../consumer/position-order.ts";
import { counted, quoted } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import { parseName } from "../option-values.ts";

/** `tidemark topic delete NAME`. */
export function addTopicDeleteCommand(topic: Command): void {
  topic
    .command("delete")
    .description("Delete a topic with its records, then the positions of all its consumers. Safe to repeat.")
    .argument("<name>", "the topic's name; exactly this one", parseName)
    .option("--yes", "do not ask for confirmation (without a terminal it never asks)")
    .addHelpText("after", examples("topic delete orders", "topic delete orders --yes -O json"))
    .action(async (name: string, { yes }: { readonly yes?: boolean }, command: Command) => {
      const context = await contextOf(command);
      await using log = await context.openLogThatIsThere();
      await using store = await context.openStoreThatIsThere();
      if (yes !== true) await confirm(() => questionOf(store, name));
      const wasThere = await deleteTopic(log, name);
      let consumers: OffsetKey[];
      try {
        consumers = (await store.delete({ topic: name })).toSorted(comparePositions);
      } catch (error) {
        const done = wasThere ? "is deleted" : "is not there";
        throw new CommandFailure(
          `topic ${JSON.stringify(name)} ${done}, but the positions of its consumers could not be deleted: ${messageOf(error)}; run the command again`,
          { cause: error },
        );
      }
      if (!wasThere && consumers.length === 0) {
        throw new CommandFailure(`there is no topic ${JSON.stringify(name)}, and no consumer has a position on it`);
      }
      if (!wasThere) say(`there is no topic ${JSON.stringify(name)}; positions of its consumers were still stored`);
      await context.print(
        { topic: name, deleted: wasThere, consumers },
        async () => (wasThere ? `topic ${quoted(name)} deleted\n` : "") + (await deletedLines(consumers)),
      );
    });
}

async function questionOf(store: OffsetStore, name: string): Promise<string> {
  const { records, unreadable } = await listAll(store, { topic: name });
  const consumers = new Set([...records, ...unreadable].map(({ consumer }) => consumer));
  const ofConsumers = consumers.size === 0 ? "" : `, and the positions of ${counted(consumers.size, "consumer")} on it`;
  return `delete topic ${quoted(name)} with all its records${ofConsumers}?`;
}

/** Resolves with whether the topic was there. That it is gone already is no failure: what is left of it goes now. */
async function deleteTopic(log: LogSource, name: string): Promise<boolean> {
  const { LogSourceError } = await import("@tidemark/core");
  try {
    await adminOf(log).deleteTopic(name);
    return true;
  } catch (error) {
    if (error instanceof LogSourceError && error.code === "UNKNOWN_TOPIC") return false;
    throw error;
  }
}
