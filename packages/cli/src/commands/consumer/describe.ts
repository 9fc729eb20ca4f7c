import type { Command } from "commander";
import { contextOf } from "../../context/command-context.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { NOTHING } from "../../output/table.ts";
import { formatDuration } from "../../text/duration.ts";
import { formatRemainingTime } from "../../text/remaining-time.ts";
import { visibleText } from "../../text/visible-text.ts";
import { examples } from "../examples.ts";
import { once, parseName } from "../option-values.ts";
import { findPositions } from "./find-positions.ts";
import { placeLookedAt } from "./place-looked-at.ts";
import type { PositionDocument } from "./position-document.ts";
import { selectionText } from "./position-selection.ts";
import { resetOriginText } from "./reset-origin.ts";

/** `tidemark consumer describe NAME`. */
export function addConsumerDescribeCommand(consumer: Command): void {
  consumer
    .command("describe")
    .description("Show everything that is stored for a consumer.")
    .argument("<name>", "the consumer's name", parseName)
    .option("-t, --topic <name>", "only on this topic", once(parseName))
    .addHelpText("after", examples("consumer describe billing", "consumer describe billing --topic orders -O yaml"))
    .action(async (name: string, { topic }: { topic?: string }, command: Command) => {
      const context = await contextOf(command);
      const { positions, unreadable } = await findPositions(context, {
        consumer: name,
        ...(topic !== undefined && { topic }),
      });
      if (positions.length === 0) {
        const nothing = selectionText(name, topic === undefined ? {} : { topic });
        throw new CommandFailure(`${nothing}${placeLookedAt(context.settings)}`);
      }
      await context.print(positions, () => describe(name, positions, Date.now()));
      if (unreadable !== undefined) throw unreadable;
    });
}

function describe(name: string, positions: readonly PositionDocument[], nowMs: number): string {
  const lines = [`Name: ${visibleText(name)}`];
  for (const position of positions) {
    const { topic, partition, nextOffset, lag, ttl, expiresAt, owner, claimedAt, committedAt, updatedAt } = position;
    const { epoch, metadata, resetFrom } = position;
    lines.push(
      "",
      `Topic: ${visibleText(topic)}`,
      `Partition: ${partition}`,
      `Offset: ${nextOffset ?? NOTHING}`,
      `Lag: ${lag ?? NOTHING}`,
      `TTL: ${ttl === undefined ? NOTHING : formatDuration(ttl)}`,
      `Expires: ${expiresAt === undefined ? "never" : `${expiresAt} (in ${formatRemainingTime(Date.parse(expiresAt) - nowMs)})`}`,
      `Owner: ${owner === undefined ? NOTHING : visibleText(owner)}`,
      `Claimed: ${claimedAt ?? NOTHING}`,
      `Epoch: ${epoch}`,
      `Committed: ${committedAt ?? NOTHING}`,
      `Updated: ${updatedAt}`,
      `Reset: ${resetFrom === undefined ? NOTHING : resetOriginText(resetFrom, nowMs)}`,
      `Metadata: ${metadata === "" ? NOTHING : visibleText(metadata)}`,
    );
  }
  return `${lines.join("\n")}\n`;
}
