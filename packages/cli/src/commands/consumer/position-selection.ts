import type { OffsetFilter } from "@tidemark/core";
import type { Command } from "commander";
import { once, parseName, parsePartition } from "../option-values.ts";

/** Which of a consumer's positions a command is about. */
export interface PositionSelection {
  readonly topic?: string;
  readonly partition?: number;
}

/** Gives a command the options that choose among a consumer's positions. */
export function withPositionSelection(command: Command): Command {
  return command
    .option("-t, --topic <name>", "only on this topic (default: on all)", once(parseName))
    .option("-p, --partition <number>", "only on this partition (default: on all)", once(parsePartition));
}

/** The filter for a store. */
export function filterOf(consumer: string, { topic, partition }: PositionSelection): OffsetFilter {
  return { consumer, ...(topic !== undefined && { topic }), ...(partition !== undefined && { partition }) };
}

/** What was looked for, for the message that nothing was found. */
export function selectionText(consumer: string, { topic, partition }: PositionSelection): string {
  const on = [
    ...(topic === undefined ? [] : [`topic ${JSON.stringify(topic)}`]),
    ...(partition === undefined ? [] : [`partition "${partition}"`]),
  ];
  return `consumer ${JSON.stringify(consumer)} has no position${on.length === 0 ? "" : ` on ${on.join(" ")}`}`;
}
