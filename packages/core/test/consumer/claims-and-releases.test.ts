import { setTimeout as delay } from "node:timers/promises";
import {
  type ClaimEntry,
  type ConsumerEvent,
  createConsumer,
  type OffsetStore,
  OffsetStoreError,
} from "@tidemark/core";
import { expect, test } from "vitest";
import { EventLog, eventually } from "../session/eventually.ts";
import { Group, LEASE_MS, openMemberStore } from "./group.ts";
import { ordersLog } from "./orders.ts";

const PARTITIONS = 20;
const OTHER = { ...{ consumer: "c1", topic: "orders", member: "other" }, owner: "other", lease: 600_000 };
const keys = Array.from({ length: PARTITIONS }, (_, partition) => ({ consumer: "c1", topic: "orders", partition }));

/** Another member of the group, that does nothing by itself, says that it lives and holds so many. */
async function otherLives(store: OffsetStore, held: number): Promise<void> {
  const { consumer, topic, member, owner, lease } = OTHER;
  await store.heartbeat({ key: { consumer, topic, member }, mode: "balanced", owner, lease, held });
}

test.each([
  ["was lost", { hangsMs: 0, awayMs: 0 }],
  ["was lost before a long outage", { hangsMs: 0, awayMs: 3.5 * LEASE_MS }],
  ["was waited for longer than three leases", { hangsMs: 3.5 * LEASE_MS, awayMs: 0 }],
])(
  "a member reads all that is stored as its own, also where the answer to a claim %s (contract 8.7)",
  async (_, { hangsMs, awayMs }) => {
    const source = await ordersLog(1, PARTITIONS);
    await using group = new Group(source);
    const { store, backend } = group;
    await otherLives(store, PARTITIONS);
    await store.claim(keys.map((key) => ({ key, token: "other's", owner: "other", member: "other" })));
    const member = openMemberStore(backend);
    let lost: readonly ClaimEntry[] | undefined;
    const losing = new Proxy(member.store, {
      get(target, name) {
        const value: unknown = Reflect.get(target, name, target);
        if (name !== "claim" || lost !== undefined) return value;
        return async (entries: readonly ClaimEntry[]) => {
          lost = entries;
          await target.claim(entries);
          await delay(hangsMs);
          member.isCut = true;
          setTimeout(() => (member.isCut = false), awayMs);
          throw new OffsetStoreError("the answer is lost", {
            ...({ code: "UNAVAILABLE", operation: "claim", store: "memory", keys: [] } as const),
          });
        };
      },
    });
    const events = new EventLog<ConsumerEvent>();
    await using consumer = await createConsumer({
      ...{ source, store: losing, topic: "orders", consumer: "c1", lease: LEASE_MS, onEvent: events.hear },
    });
    expect(consumer.partitions).toEqual([]);
    await store.commit(keys.map((key) => ({ key, token: "other's", release: true })));
    await eventually(() => consumer.partitions.length === PARTITIONS / 2);
    expect(lost).toHaveLength(PARTITIONS / 2);
    const outcomes = await store.fetch(keys);
    const owned = outcomes.flatMap((outcome, partition) =>
      outcome.status === "found" && outcome.record.member !== undefined ? partition : [],
    );
    expect(owned).toEqual(consumer.partitions);
  },
);

test("a session reads what the former one of its instance claims while it begins (contract 8.10)", async () => {
  const source = await ordersLog(1, 3);
  await using group = new Group(source);
  const { store } = group;
  await otherLives(store, 2);
  const [, second, third] = keys;
  expect.assert(second !== undefined && third !== undefined);
  await store.claim([second, third].map((key) => ({ key, token: "other's", owner: "other", member: "other" })));
  const { consumer, events } = await group.join({ instance: "pod-0", lease: 5 * LEASE_MS });
  expect(consumer.partitions).toEqual([0]);
  await store.claim([{ key: second, token: "the former's", owner: "former", member: "pod-0" }]);
  await eventually(() => events.of("assigned").some(({ partitions }) => partitions.includes(second.partition)));
});

test("revoked says that a partition is given up when that is written, and once (contract 8.7)", async () => {
  const source = await ordersLog(10, 2);
  await using group = new Group(source);
  // The position that cannot be written, and none to be written at all.
  for (const flushInterval of [600_000, 10]) {
    const one = await group.join({ consumer: `c${flushInterval}`, flushInterval });
    await eventually(() => one.handled.length === 20);
    if (flushInterval === 10) await one.consumer.flush();
    one.member.refusesCommits = true;
    await group.store.heartbeat({
      ...{ key: { consumer: `c${flushInterval}`, topic: "orders", member: "other" }, mode: "balanced" },
      ...{ lease: 600_000, owner: "other", held: 0 },
    });
    const failures = one.events.of("flush-failed").length;
    await eventually(() => one.events.of("flush-failed").length > failures + 3);
    expect(one.events.of("revoked")).toEqual([]);
    one.member.refusesCommits = false;
    await one.events.first("revoked");
    // Looks at who lives come and go.
    const looks = Date.now() + LEASE_MS;
    await eventually(() => Date.now() > looks);
    expect(one.events.of("revoked")).toHaveLength(1);
    await one.consumer.close();
  }
});
