import type { Command } from "commander";
import { contextOf } from "../../context/command-context.ts";
import { say } from "../../context/standard-streams.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { formatDuration } from "../../text/duration.ts";
import { visibleText } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import { limitOf, parseName, parseTtl, type LimitOption } from "../option-values.ts";
import { listAll } from "./list-all.ts";
import { comparePositions } from "./position-order.ts";
import { placeLookedAt } from "./place-looked-at.ts";
import { filterOf, selectionText, withPositionSelection, type PositionSelection } from "./position-selection.ts";

// A running consumer that had a longer TTL renews every 30 seconds at most.
const SHORT_TTL_MS = 60_000;

/** `tidemark consumer set NAME --ttl 12h`. */
export function addConsumerSetCommand(consumer: Command): void {
  withPositionSelection(
    consumer
      .command("set")
      .description(
        "Change the TTL of a consumer's positions. The positions do not move, and running processes continue.",
      )
      .argument("<name>", "the consumer's name", parseName)
      .requiredOption(
        "--ttl <duration>",
        'from now, and after every later commit: 24h, 20m, PT12H, or "none"',
        parseTtl,
      ),
  )
    .addHelpText(
      "after",
      examples("consumer set billing --ttl 12h", "consumer set billing --ttl none --topic orders --partition 0"),
    )
    .action(async (name: string, options: PositionSelection & { ttl: LimitOption }, command: Command) => {
      const ttl = limitOf(options.ttl);
      const context = await contextOf(command);
      const { formatKey } = await import("@tidemark/core");
      await using store = await context.openStoreThatIsThere();
      const { records, failure } = await listAll(store, filterOf(name, options));
      const keys = records.map(({ consumer: of, topic, partition }) => ({ consumer: of, topic, partition }));
      keys.sort(comparePositions);
      const outcomes = keys.length === 0 ? [] : await store.expire(keys.map((key) => ({ key, ttl })));
      const changed = keys.filter((_, index) => outcomes[index]?.status === "set");
      const what = ttl === null ? "never expires" : `has a TTL of ${formatDuration(ttl)}`;
      await context.print(
        changed.map((key) => ({ ...key, ttl })),
        () => changed.map((key) => `${visibleText(formatKey(key))} ${what}\n`).join(""),
      );
      if (ttl !== null && ttl < SHORT_TTL_MS && changed.length > 0) {
        say("running processes see the new TTL at their next renewal, within 30 s: until then a position may expire");
      }
      for (const outcome of outcomes) if (outcome.status === "failed") throw outcome.error;
      // One that cannot be read keeps its TTL; the others have theirs.
      if (failure !== undefined) throw failure;
      if (changed.length === 0)
        throw new CommandFailure(`${selectionText(name, options)}${placeLookedAt(context.settings)}`);
    });
}
