import { assert } from "../../assert.ts";
import { inspect } from "node:util";

import { thisProcess } from "../../../driver/process-identity.ts";
import type { MemberEntry, MemberFilter, MemberKey, MemberRecord } from "../../../member.ts";
import type { OffsetKey } from "../../../key.ts";
import type { ClaimEntry, ClaimOutcome } from "../../../offset-store.ts";
import { untilClockTicks } from "../clock.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { eventually } from "../eventually.ts";
import { type AnyStore, claim, committed, found, keyOf, newToken, only } from "../outcomes.ts";

/**
 * A lease that no case outlives, and one that is soon over, in milliseconds. A backend may drop a member's record after ten
 * leases: a shorter one would be gone before a busy machine looks at it.
 */
const [LONG, SHORT] = [3_600_000, 500];

/** Who of those that share a topic lives, and what a claim makes of it. */
export const memberCases: readonly ConformanceCase[] = [
  {
    id: "member/heartbeat",
    clause: "8.1",
    title: "a heartbeat is shown to everybody, each replaces the one before, and a member that left is gone",
    run: async (context) => {
      const { store } = context;
      const other = (await context.openAnother()).store;
      await beat(store, "m1", { mode: "standby", owner: "owner-1" });
      await beat(store, "m2");
      const first = await memberOf(other, "m1");
      const { mode, lease, owner, held, isLiving } = first;
      assert.deepEqual({ mode, lease, owner, held, isLiving }, { ...STANDBY, lease: LONG, isLiving: true });
      await untilClockTicks(store);
      await beat(store, "m1", { held: 7, lease: 2 * LONG, generation: 3 });
      const second = await memberOf(other, "m1");
      assert.deepEqual(
        [second.held, second.lease, second.generation],
        [7, 2 * LONG, 3],
        "the second heartbeat is not what is shown",
      );
      assert.ok(second.heardAt > first.heardAt, "a heartbeat did not change the member's heardAt");
      await store.leave(memberKey("m1"));
      assert.deepEqual(await names(other), ["m2"], "a member that left is shown, or another one is not");
      await store.leave(memberKey("m1"));
    },
  },
  {
    id: "member/apart",
    clause: "8.1",
    title:
      "members are distinguished by consumer and topic, are in no listing of positions, and go with their consumer",
    run: async ({ store }) => {
      const places = [{}, { topic: "other" }, { consumer: "c2" }];
      for (const place of places) await beat(store, "m1", { key: memberKey("m1", place) });
      assert.deepEqual(await names(store, { consumer: "c1" }), ["m1", "m1"]);
      assert.deepEqual(await names(store, { consumer: "c1", topic: "other" }), ["m1"]);
      assert.equal((await names(store)).length, 3);
      for await (const record of store.list()) assert.fail(`a member is listed as a position: ${inspect(record)}`);
      await claim(store, keyOf(), newToken());
      assert.deepEqual(await store.delete({ consumer: "c1" }), [keyOf()], "a delete must return positions alone");
      assert.deepEqual(await names(store), ["m1"], "the members of a deleted consumer are there, or another's are not");
    },
  },
  {
    id: "member/held",
    clause: "8.3",
    title: "a claim of idle keys alone takes what is free and leaves a living holder its own",
    run: async ({ store }) => {
      const [free, holding, released] = [keyOf(), keyOf({ partition: 1 }), keyOf({ partition: 2 })];
      await beat(store, "holder");
      const token = newToken();
      await claim(store, holding, token, { member: "holder", owner: "the holder" });
      await committed(store, holding, token, 5n);
      const ended = newToken();
      await claim(store, released, ended, { member: "holder" });
      await committed(store, released, ended, 3n, { release: true });
      const record = await found(store, holding);
      const outcomes = await store.claim([free, holding, released].map((key) => idle(key)));
      assert.deepEqual(
        outcomes.map(({ status }) => status),
        ["claimed", "held", "claimed"],
      );
      assert.deepEqual(outcomes[1], { status: "held", record }, "the answer is not what is stored");
      assert.deepEqual(await found(store, holding), record, "a refused claim wrote something");
      await committed(store, holding, token, 6n);
      // The same claim again, and one of the same member: no other holds the key.
      assert.equal(only(await store.claim([idle(holding, { token, member: "holder" })])).status, "claimed");
      assert.equal(only(await store.claim([idle(holding, { member: "holder" })])).status, "claimed");
      // Without the wish the newest claim wins.
      await claim(store, holding, newToken());
    },
  },
  {
    id: "member/silent",
    clause: "8.2",
    title: "a holder without a heartbeat for its own lease loses its keys, but not at the first look",
    run: async ({ store }) => {
      const key = keyOf();
      const token = newToken();
      await beat(store, "holder", { lease: SHORT });
      await claim(store, key, token, { member: "holder" });
      await untilClockTicks(store, SHORT);
      assert.equal((await take(store, key)).status, "held", "the first look at a member must find it living");
      await eventually(
        "a silent holder's key can be claimed",
        async () => (await take(store, key)).status === "claimed",
      );
      const late = only(await store.commit([{ key, token, nextOffset: 1n }]));
      assert.equal(late.status, "fenced", "the former holder committed");
    },
  },
  {
    id: "member/living",
    clause: "8.2",
    title: "each heartbeat is a sign of life: what was found silent before is looked at again",
    run: async ({ store }) => {
      const key = keyOf();
      await beat(store, "holder", { lease: SHORT });
      await claim(store, key, newToken(), { member: "holder" });
      await untilClockTicks(store, SHORT);
      assert.equal((await take(store, key)).status, "held");
      await beat(store, "holder", { lease: LONG });
      await untilClockTicks(store, SHORT);
      assert.equal((await take(store, key)).status, "held", "a holder was robbed that has had a heartbeat meanwhile");
      assert.equal((await memberOf(store, "holder")).isLiving, true);
    },
  },
  {
    id: "member/ended",
    clause: "8.2",
    title:
      "a holder whose process has ended, or that left, loses its keys immediately; one on another machine or in another container proves nothing",
    run: async (context) => {
      const { store } = context;
      const key = keyOf();
      const own = thisProcess();
      if (own === undefined) return context.notTried("a system that shows which process runs");
      const ended = { ...own, startTime: "1" };
      await beat(store, "here", { process: own });
      await claim(store, key, newToken(), { member: "here" });
      assert.equal((await take(store, key)).status, "held", "a holder was robbed whose process runs");
      for (const elsewhere of [{ bootId: "another boot" }, { pidNamespace: "another container" }]) {
        await beat(store, "here", { process: { ...ended, ...elsewhere } });
        assert.equal(
          (await take(store, key)).status,
          "held",
          "a process of another machine was looked for on this one",
        );
      }
      await beat(store, "here", { process: ended });
      assert.equal((await memberOf(store, "here")).isLiving, false, "a process that has ended counts as living");
      assert.equal((await take(store, key, { member: "there" })).status, "claimed", "an ended process kept its key");
      await beat(store, "there");
      assert.equal((await take(store, key)).status, "held");
      await store.leave(memberKey("there"));
      assert.equal((await take(store, key)).status, "claimed", "a member that left kept its key");
    },
  },
  {
    id: "member/of-none",
    clause: "8.2",
    title: "a holder that is in no group is judged by its record and the claimer's lease",
    run: async ({ store }) => {
      const key = keyOf();
      await claim(store, key, newToken());
      await untilClockTicks(store, SHORT);
      assert.equal((await take(store, key, { ifIdleFor: LONG })).status, "held");
      assert.equal((await take(store, key, { ifIdleFor: LONG })).status, "held");
      assert.equal((await take(store, key, { ifIdleFor: SHORT })).status, "held", "the first look must find it living");
      const taken = async (): Promise<boolean> => (await take(store, key, { ifIdleFor: SHORT })).status === "claimed";
      await eventually("what is not renewed can be claimed", taken);
    },
  },
  {
    id: "member/group",
    clause: "8.4",
    title: "a group keeps the number of partitions that its first member gave, for every client, and is no member",
    run: async (context) => {
      const { store } = context;
      const other = (await context.openAnother()).store;
      const group = { consumer: "c1", topic: "orders" };
      assert.deepEqual(await store.group({ ...group, partitions: 3 }), { partitions: 3 });
      assert.deepEqual(await other.group({ ...group, partitions: 5 }), { partitions: 3 }, "the first word must stand");
      assert.deepEqual(await other.group({ ...group, topic: "other", partitions: 5 }), { partitions: 5 });
      assert.deepEqual(await names(store), [], "the group is shown as a member");
      const asked = Array.from({ length: 8 }, (_, index) =>
        (index % 2 === 0 ? store : other).group({ ...group, topic: "new", partitions: index + 1 }),
      );
      const [first, ...rest] = await Promise.all(asked);
      for (const answer of rest) assert.deepEqual(answer, first, "two that began concurrently got different answers");
      await store.delete({ topic: "orders" });
      assert.deepEqual(await store.group({ ...group, partitions: 4 }), { partitions: 4 });
    },
  },
];

const STANDBY = { mode: "standby", owner: "owner-1", held: 0 };

function memberKey(member: string, place: Partial<MemberKey> = {}): MemberKey {
  return { consumer: "c1", topic: "orders", member, ...place };
}

async function beat(store: AnyStore, member: string, more: Partial<MemberEntry> = {}): Promise<void> {
  await store.heartbeat({ key: memberKey(member), mode: "balanced", lease: LONG, owner: "owner", held: 0, ...more });
}

async function members(store: AnyStore, filter?: MemberFilter): Promise<MemberRecord[]> {
  const all: MemberRecord[] = [];
  for await (const each of store.members(filter)) all.push(each);
  return all;
}

async function names(store: AnyStore, filter?: MemberFilter): Promise<string[]> {
  return (await members(store, filter)).map(({ member }) => member).toSorted();
}

async function memberOf(store: AnyStore, name: string): Promise<MemberRecord> {
  const one = (await members(store)).find(({ member }) => member === name);
  assert.ok(one, `member ${name} is not shown`);
  return one;
}

function idle(key: OffsetKey, more: Partial<ClaimEntry> = {}): ClaimEntry {
  return { key, token: newToken(), owner: "claimer", member: "claimer", ifIdleFor: LONG, ...more };
}

async function take(store: AnyStore, key: OffsetKey, more: Partial<ClaimEntry> = {}): Promise<ClaimOutcome> {
  return only(await store.claim([idle(key, more)]));
}
