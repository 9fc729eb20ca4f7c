import { setTimeout as pause } from "node:timers/promises";
import type { MemberRecord, OffsetKey, OffsetStore } from "@tidemark/core";
import { CommandFailure } from "../../failure/command-failure.ts";
import { counted } from "../../text/visible-text.ts";

const LOOK_EVERY_MS = 250;

/**
 * Resolves when no other session that lives holds one of the keys: it has ended, or has been silent for its lease. Rejects when
 * one sends a heartbeat: it lives, and a name that runs is joined only by who says so.
 */
export async function waitForHolder(
  store: OffsetStore,
  keys: readonly OffsetKey[],
  say: (line: string) => void,
): Promise<void> {
  const holders = new Set<string>();
  for (const outcome of await store.fetch(keys)) {
    if (outcome.status === "found" && outcome.record.member !== undefined) holders.add(outcome.record.member);
  }
  const [{ consumer, topic } = { consumer: "", topic: "" }] = keys;
  const heard = new Map<string, number>();
  for (let hasSaid = false; holders.size > 0;) {
    const living = new Map<string, MemberRecord>();
    for await (const member of store.members({ consumer, topic })) {
      if (member.isLiving) living.set(member.member, member);
    }
    for (const holder of holders) {
      const member = living.get(holder);
      if (member === undefined) {
        holders.delete(holder);
        continue;
      }
      const at = member.heardAt.getTime();
      const before = heard.get(holder);
      heard.set(holder, at);
      if (before !== undefined && at !== before) throw held(consumer, topic, member);
      if (!hasSaid) say(`${nameOf(consumer, topic)} is held by ${member.owner}: checking whether it still runs`);
      hasSaid = true;
    }
    if (holders.size > 0) await pause(LOOK_EVERY_MS);
  }
}

function held(consumer: string, topic: string, { owner, held: count }: MemberRecord): CommandFailure {
  return new CommandFailure(
    `HELD: ${nameOf(consumer, topic)} runs in ${owner}, which holds ${counted(count, "partition")}; stop it, divide the partitions with --share, take them with --takeover, or use another name`,
  );
}

function nameOf(consumer: string, topic: string): string {
  return `consumer ${JSON.stringify(consumer)} on topic ${JSON.stringify(topic)}`;
}
