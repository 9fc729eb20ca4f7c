import type { MemberRecord } from "@tidemark/core";
import type { Command } from "commander";
import { contextOf } from "../../context/command-context.ts";
import { say } from "../../context/standard-streams.ts";
import { formatTable } from "../../output/table.ts";
import { examples } from "../examples.ts";
import { once, parseName } from "../option-values.ts";
import { placeLookedAt } from "./place-looked-at.ts";

const HEADINGS = ["CONSUMER", "TOPIC", "MEMBER", "MODE", "HOLDS", "LEASE", "LAST HEARTBEAT", "STATE", "OWNER"];

/** `tidemark consumer members`. */
export function addConsumerMembersCommand(consumer: Command): void {
  consumer
    .command("members")
    .description(
      "List the members of consumers: how many partitions each holds, and how long ago its last heartbeat was. A member is shown as ended if its process ran on this machine and has exited; on another machine it has probably ended if its last heartbeat is older than its lease. It is listed for ten leases.",
    )
    .argument("[name]", "only members of this consumer", parseName)
    .option("-t, --topic <name>", "only members on this topic", once(parseName))
    .addHelpText("after", examples("consumer members", "consumer members billing", "consumer members -O json"))
    .action(async (name: string | undefined, { topic }: { topic?: string }, command: Command) => {
      const context = await contextOf(command);
      await using store = await context.openStoreThatIsThere();
      const members: MemberRecord[] = [];
      for await (const member of store.members({ consumer: name, topic })) members.push(member);
      members.sort(byName);
      if (members.length === 0 && context.settings.output === "table") {
        return say(`no members${placeLookedAt(context.settings)}`);
      }
      const now = Date.now();
      await context.print(members, () =>
        formatTable(
          HEADINGS,
          members.map((member) => rowOf(member, now)),
        ),
      );
    });
}

function rowOf(
  { consumer, topic, member, mode, held, lease, heardAt, isLiving, owner }: MemberRecord,
  now: number,
): string[] {
  const agoSeconds = Math.max(0, Math.round((now - heardAt.getTime()) / 1_000));
  const leaseText = `${lease / 1_000} s`;
  const state = isLiving ? "living" : "ended";
  return [consumer, topic, member, mode, String(held), leaseText, `${agoSeconds} s ago`, state, owner];
}

function byName(a: MemberRecord, b: MemberRecord): number {
  return compare(a.consumer, b.consumer) || compare(a.topic, b.topic) || compare(a.owner, b.owner);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
