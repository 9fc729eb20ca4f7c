import { setTimeout as pause } from "node:timers/promises";
import {
  type CommitEntry,
  type Consumer,
  type ConsumerEvent,
  createConsumer,
  OffsetFencedError,
  openOffsetSession,
} from "@tidemark/core";
import { createMemoryBackend, createMemoryStore } from "@tidemark/store-memory";
import { expect, onTestFinished, test, vi } from "vitest";
import { EventLog, eventually } from "../session/eventually.ts";
import { Group, LEASE_MS, openMemberStore } from "./group.ts";
import { ordersLog, produce } from "./orders.ts";

const SETTLED_MS = 30 * LEASE_MS;

function all(partitions: number, records: number): string[] {
  return Array.from(
    { length: partitions * records },
    (_, index) => `${index % partitions}/${Math.floor(index / partitions)}`,
  );
}

test("members of one name divide the partitions, and each record is handled once (contract 8.6, 8.7)", async () => {
  await using group = new Group(await ordersLog(100, 4));
  const first = await group.join({}, () => pause(1));
  expect(first.consumer.partitions).toEqual([0, 1, 2, 3]);
  const second = await group.join({}, () => pause(1));
  await eventually(() => second.consumer.partitions.length === 2, SETTLED_MS);
  await eventually(() => first.consumer.partitions.length === 2, SETTLED_MS);
  await eventually(() => group.handled.length >= 400, SETTLED_MS);
  expect(group.handled.toSorted()).toEqual(all(4, 100).toSorted());
  expect(first.events.of("revoked")).toMatchObject([{ reason: "rebalanced" }]);
  expect(second.events.of("assigned").flatMap(({ partitions }) => partitions)).toHaveLength(2);
});

test("what is in hand is done and committed before another gets its partition (contract 8.7)", async () => {
  await using group = new Group(await ordersLog(10, 2));
  const done = Promise.withResolvers<void>();
  const first = await group.join({}, () => done.promise, "process");
  await eventually(() => first.inHand.size === 2);
  const second = await group.join();
  // The first has a record of each in its hands: nobody is given either for as long as it has.
  await pause(2 * LEASE_MS);
  expect(second.consumer.partitions).toEqual([]);
  done.resolve();
  await eventually(() => group.handled.length === 20, SETTLED_MS);
  expect(group.handled.toSorted()).toEqual(all(2, 10).toSorted());
  expect(first.handled.length).toBeGreaterThanOrEqual(2);
  expect(second.consumer.partitions).toHaveLength(1);
});

test("what is in hand for longer than revokeTimeout is handled again by another, and its late end counts for nothing (contract 8.7)", async () => {
  await using group = new Group(await ordersLog(5, 2));
  const done = Promise.withResolvers<void>();
  const first = await group.join({ revokeTimeout: 100 }, () => done.promise, "process");
  await eventually(() => first.inHand.size === 2);
  const second = await group.join();
  await eventually(() => second.handled.length === 5, SETTLED_MS);
  const [moved = -1] = second.consumer.partitions;
  expect(second.handled[0]).toBe(`${moved}/0`);
  done.resolve();
  await eventually(() => first.handled.includes(`${moved}/0`));
  await first.consumer.flush();
  expect(second.consumer.position(moved)).toBe(5n);
});

test("a release that fails is tried again: a living member keeps nothing that it does not read (contract 8.7)", async () => {
  await using group = new Group(await ordersLog(5, 2));
  const first = await group.join();
  await eventually(() => first.handled.length === 10);
  await first.consumer.flush();
  first.member.refusesCommits = true;
  const second = await group.join();
  await first.events.first("flush-failed");
  expect(second.consumer.partitions).toEqual([]);
  first.member.refusesCommits = false;
  await eventually(() => second.consumer.partitions.length === 1, SETTLED_MS);
});

test("whoever has nothing to read waits, and takes over at once from a member that closes (contract 8.6)", async () => {
  await using group = new Group(await ordersLog(5, 1));
  const first = await group.join();
  const second = await group.join();
  expect(second.consumer.partitions).toEqual([]);
  await eventually(() => first.handled.length === 5);
  await first.consumer.close();
  await eventually(() => second.consumer.partitions.length === 1, SETTLED_MS);
  expect(second.events.of("resumed")).toMatchObject([{ partition: 0, nextOffset: 5n }]);
});

test("whoever closes waits for its handlers, and others have meanwhile what none of them works on (contract 8.7)", async () => {
  await using group = new Group(await ordersLog(5, 5));
  const done = Promise.withResolvers<void>();
  const slow = Promise.withResolvers<void>();
  const first = await group.join({}, ({ partition }) => [done.promise, slow.promise][partition], "process");
  await eventually(() => first.handled.length === 15 && first.inHand.size === 2);
  const second = await group.join({}, () => undefined, "process");
  await eventually(() => second.consumer.partitions.length === 2, SETTLED_MS);
  const closed = first.consumer.close();
  await eventually(() => second.consumer.partitions.length === 3, SETTLED_MS);
  expect(second.consumer.partitions).toEqual([2, 3, 4]);
  done.resolve();
  await eventually(() => second.handled.includes("0/4"), SETTLED_MS);
  expect(second.consumer.partitions).toEqual([0, 2, 3, 4]);
  slow.resolve();
  await closed;
  await eventually(() => group.handled.length >= 25, SETTLED_MS);
  expect(group.handled.toSorted()).toEqual(all(5, 5).toSorted());
});

test.each([
  [{ ttl: 6_000 }, 2_000],
  [{ ttl: 500 }, 1_000],
  [{ ttl: 6_000, renewInterval: 3_000 }, 1_500],
  [{ ttl: 29_999 }, 9_999],
  [{ ttl: 3_600_000 }, 10_000],
  [{ ttl: 6_000, sharing: "takeover" }, 10_000],
] as const)("with %j and no lease given the lease is %s ms (contract 8.5d)", async (options, lease) => {
  await using group = new Group(await ordersLog(0, 1));
  await group.join({ ...options, lease: undefined });
  expect(await Array.fromAsync(group.store.members())).toMatchObject([{ lease }]);
});

test("standby: waits for the holder, says so once, and goes on behind it (contract 8.6)", async () => {
  await using group = new Group(await ordersLog(5, 2));
  const first = await group.join({ partitions: [0, 1], owner: "one" });
  const second = await group.join({ partitions: [0, 1] });
  await eventually(() => first.handled.length === 10);
  await pause(LEASE_MS);
  expect(second.consumer.partitions).toEqual([]);
  expect(second.events.of("waiting")).toMatchObject([
    { key: { partition: 0 }, owner: "one" },
    { key: { partition: 1 }, owner: "one" },
  ]);
  await first.consumer.close();
  await eventually(() => second.consumer.partitions.length === 2, SETTLED_MS);
  expect(second.handled).toEqual([]);
});

test("a member that is cut off from the store hands out nothing when its lease is over, and loses its partitions (contract 8.5b, 8.6)", async () => {
  const source = await ordersLog(3, 2);
  await using group = new Group(source);
  const first = await group.join();
  const second = await group.join();
  await eventually(() => first.consumer.partitions.length === 1 && second.consumer.partitions.length === 1, SETTLED_MS);
  await eventually(() => group.handled.length === 6);
  const [lost = -1] = first.consumer.partitions;
  const [kept = -1] = second.consumer.partitions;
  first.member.isCut = true;
  await eventually(() => first.events.of("heartbeat-failed").some(({ leaseExpired }) => leaseExpired), SETTLED_MS);
  await produce(source, 2, lost);
  await eventually(() => second.handled.includes(`${lost}/4`), SETTLED_MS);
  expect(first.handled).not.toContain(`${lost}/3`);
  first.member.isCut = false;
  await eventually(() => first.events.of("revoked").length > 0, SETTLED_MS);
  await eventually(() => first.consumer.partitions.length === 1, SETTLED_MS);
  await produce(source, 2, lost);
  await produce(source, 2, kept);
  await eventually(() => group.handled.length === 12, SETTLED_MS);
  expect(new Set(group.handled).size).toBe(12);
});

test("a process that was frozen between two records hands out not one more (contract 8.5b)", async () => {
  const member = openMemberStore(createMemoryBackend());
  const events = new EventLog<ConsumerEvent>();
  await using consumer = await createConsumer({
    ...{ source: await ordersLog(1_000, 1), store: member.store, topic: "orders", consumer: "c1", lease: LEASE_MS },
    onEvent: events.hear,
  });
  const records = consumer[Symbol.asyncIterator]();
  for (let count = 0; count < 500; count += 1) await records.next();
  member.isCut = true;
  const frozenMs = 2 * LEASE_MS;
  const [now, wallNow] = [performance.now.bind(performance), Date.now];
  vi.spyOn(performance, "now").mockImplementation(() => now() + frozenMs);
  vi.spyOn(Date, "now").mockImplementation(() => wallNow() + frozenMs);
  onTestFinished(() => void vi.restoreAllMocks());
  let isHandedOut = false;
  const next = records.next().then(() => (isHandedOut = true));
  await events.first("heartbeat-failed");
  expect(isHandedOut).toBe(false);
  expect(consumer.isStalled).toBe(true);
  member.isCut = false;
  await next;
  expect(consumer.isStalled).toBe(false);
});

test("an outage of the store for longer than the lease moves nothing, and nothing is handled twice (contract 8.2, 8.5b)", async () => {
  const source = await ordersLog(3, 4);
  await using group = new Group(source);
  const first = await group.join();
  const second = await group.join();
  await eventually(() => second.consumer.partitions.length === 2 && group.handled.length === 12, SETTLED_MS);
  await eventually(() => first.consumer.partitions.length === 2);
  const before = [first.consumer.partitions, second.consumer.partitions];
  const moves = [...first.events.of("revoked"), ...second.events.of("revoked")].length;
  for (const { member } of group.members) member.isCut = true;
  await pause(2 * LEASE_MS);
  for (const { member } of group.members) member.isCut = false;
  for (const partition of [0, 1, 2, 3]) await produce(source, 3, partition);
  await eventually(() => group.handled.length >= 24, SETTLED_MS);
  expect(group.handled.toSorted()).toEqual(all(4, 6).toSorted());
  expect([first.consumer.partitions, second.consumer.partitions]).toEqual(before);
  expect([...first.events.of("revoked"), ...second.events.of("revoked")]).toHaveLength(moves);
});

test("a store that takes no heartbeats for good ends the loop with its error when the lease is over (contract 8.5b)", async () => {
  await using group = new Group(await ordersLog(3, 1));
  const { member, running, handled } = await group.join();
  await eventually(() => handled.length === 3);
  member.refusesHeartbeats = true;
  await expect(running).rejects.toMatchObject({ code: "PERMISSION_DENIED", operation: "heartbeat" });
});

test("an operator's reset moves a member that runs: what it has is dropped, and it goes on there (contract 8.8)", async () => {
  await using group = new Group(await ordersLog(10, 1));
  const { consumer, handled, events } = await group.join({ renewInterval: 50 });
  await eventually(() => handled.length === 10);
  await consumer.flush();
  await group.store.reset([{ key: { consumer: "c1", topic: "orders", partition: 0 }, nextOffset: 7n }]);
  await eventually(() => handled.length === 13, SETTLED_MS);
  expect(handled.slice(10)).toEqual(["0/7", "0/8", "0/9"]);
  expect(events.of("revoked")).toMatchObject([{ partitions: [0], reason: "reset" }]);
});

test("untilEnd: a member ends when what the others hold is stored as read, too (contract 8.9)", async () => {
  await using group = new Group(await ordersLog(20, 4));
  const slow = Promise.withResolvers<void>();
  const first = await group.join({ untilEnd: true }, async ({ partition }) => {
    if (partition === 0) await slow.promise;
  });
  const second = await group.join({ untilEnd: true });
  await eventually(() => second.handled.length >= 20, SETTLED_MS);
  let isOver = false;
  void second.running.then(() => (isOver = true));
  await pause(LEASE_MS);
  expect(isOver).toBe(false);
  slow.resolve();
  await Promise.all([first.running, second.running]);
  expect(new Set(group.handled).size).toBe(80);
});

test("a partition that is new to the topic is read from its beginning, whoever claims it, also after a restart (contract 8.4)", async () => {
  const source = await ordersLog(5, 1);
  await using group = new Group(source);
  const first = await group.join({ start: "latest" });
  await first.consumer.close();
  await source.admin.alterTopic("orders", { partitions: 2 });
  await produce(source, 3, 1);
  const second = await group.join({ start: "latest" });
  await eventually(() => second.handled.length === 3);
  expect(second.handled).toEqual(["1/0", "1/1", "1/2"]);
});

test("a second session of an instance takes over at once, and ends the first (contract 8.10)", async () => {
  await using group = new Group(await ordersLog(5, 2));
  const first = await group.join({ instance: "pod-0" });
  await eventually(() => first.handled.length === 10);
  const second = await group.join({ instance: "pod-0" });
  expect(second.consumer.partitions).toEqual([0, 1]);
  await produce(group.source, 1, 0);
  await expect(first.running).rejects.toThrow(OffsetFencedError);
});

test("a body that holds the event loop for longer than the lease makes the lease longer (contract 8.5d)", async () => {
  await using group = new Group(await ordersLog(2, 1));
  const { events } = await group.join({}, () => {
    const endsAt = performance.now() + LEASE_MS + 200;
    while (performance.now() < endsAt);
  });
  const { leaseMs } = await events.first("lease-extended");
  expect(leaseMs).toBe(2 * LEASE_MS);
});

test("process: what waits for a handler goes with its partition, what a handler has in hand is waited for (contract 8.7)", async () => {
  const source = await ordersLog(50, 2);
  const backend = createMemoryBackend();
  const options = { source, topic: "orders", consumer: "c1", lease: LEASE_MS, flushInterval: 50, maxWait: 50 };
  const handled: string[] = [];
  const underWay = new Set<number>();
  const handler = async ({ partition, offset }: { partition: number; offset: bigint }): Promise<void> => {
    expect(underWay.has(partition)).toBe(false);
    underWay.add(partition);
    await pause(20);
    underWay.delete(partition);
    handled.push(`${partition}/${offset}`);
  };
  await using first = await createConsumer({ ...options, store: createMemoryStore({ backend }) });
  const running = first.process(handler);
  await eventually(() => handled.length > 4);
  await using second = await createConsumer({ ...options, store: createMemoryStore({ backend }) });
  const other = second.process(handler);
  await eventually(() => handled.length >= 100, 2 * SETTLED_MS);
  expect(handled.toSorted()).toEqual(all(2, 50).toSorted());
  expect(second.partitions).toHaveLength(1);
  await Promise.all([first.close(), second.close(), running, other]);
});

test("a session shares, too: onAssigned says what to read, onRevoked is waited for (contract 8.7)", async () => {
  const backend = createMemoryBackend();
  const assigned: number[] = [];
  const revoked = new EventLog<{
    readonly type: "revoked";
    readonly partitions: readonly number[];
    readonly reason: string;
  }>();
  const quiet = Promise.withResolvers<void>();
  const options = {
    consumer: "c1",
    topic: "orders",
    partitions: [0, 1],
    sharing: "balanced",
    lease: LEASE_MS,
  } as const;
  await using first = await openOffsetSession({
    ...{ ...options, store: openMemberStore(backend).store },
    onAssigned: (partitions) => void assigned.push(...partitions),
    onRevoked: async (partitions, { session, reason }) => {
      revoked.hear({ type: "revoked", partitions, reason });
      await quiet.promise;
      session.commit({ partition: 1, offset: 4n });
    },
  });
  expect(new Set(assigned)).toEqual(new Set([0, 1]));
  first.startAt(1, 0n);
  const others: number[] = [];
  await using second = await openOffsetSession({
    ...{ ...options, store: openMemberStore(backend).store },
    onAssigned: (partitions) => void others.push(...partitions),
  });
  expect(await revoked.first("revoked")).toMatchObject({ reason: "rebalanced" });
  expect(second.partitions).toEqual([]);
  quiet.resolve();
  await eventually(() => others.length === 1, SETTLED_MS);
  expect(first.partitions).toHaveLength(1);
});

test("a session in standby opens when the holder has closed; an abort ends its waiting (contract 8.6)", async () => {
  const backend = createMemoryBackend();
  const options = { consumer: "c1", topic: "orders", partitions: [0], lease: LEASE_MS };
  const first = await openOffsetSession({ ...options, store: openMemberStore(backend).store });
  const abort = new AbortController();
  const waiting = openOffsetSession({ ...options, store: openMemberStore(backend).store, signal: abort.signal });
  abort.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  const next = openOffsetSession({ ...options, store: openMemberStore(backend).store });
  await first.close();
  await using second = await next;
  expect(second.partitions).toEqual([0]);
});

test.each([
  [{ sharing: "each" }, /sharing must be/],
  [{ lease: 999 }, /lease must be from 1000/],
  [{ lease: 600_001 }, /lease must be from 1000 to 600000/],
  [{ lease: 4_001, ttl: 12_000 }, /lease must be at most 4000 ms with a ttl of 12000 ms, not 4001/],
  [{ lease: 2_000, ttl: 6_000, renewInterval: 3_000 }, /lease must be at most 1500 ms/],
  [{ lease: "10 s" }, /lease must be a number/],
  [{ instance: "" }, /instance/],
  [{ revokeTimeout: -1 }, /revokeTimeout/],
  [{ sharing: "balanced", onFenced: "stop" }, /onFenced needs sharing "takeover"/],
  [{ sharing: "balanced" }, /needs onAssigned/],
  [{ onRevoked: 1 }, /onRevoked must be a function/],
])("options of a session that make no sense: %j (contract 8.6)", async (bad, message) => {
  const store = createMemoryStore();
  const options = { store, consumer: "c1", topic: "orders", partitions: [0], ...bad };
  await expect(openOffsetSession(options as never)).rejects.toThrow(message);
  expect(await Array.fromAsync(store.members())).toEqual([]);
});

test("a partition that is assigned before the first record is asked for is read once, from its position (contract 8.6)", async () => {
  const source = await ordersLog(100, 1);
  await using group = new Group(source);
  const first = await group.join({ partitions: [0] }, () => new Promise(() => undefined));
  await using store = createMemoryStore({ backend: group.backend });
  await using consumer = await createConsumer({
    ...{ source, store, topic: "orders", consumer: "c1", partitions: [0], lease: LEASE_MS, maxWait: 50 },
  });
  const iterator = consumer[Symbol.asyncIterator]();
  await first.consumer.close();
  await eventually(() => consumer.partitions.length === 1, SETTLED_MS);
  const offsets: bigint[] = [];
  while (offsets.length < 100) {
    const { value } = await iterator.next();
    if (value !== undefined) offsets.push(value.offset);
  }
  expect(offsets).toEqual(Array.from({ length: 100 }, (_, index) => BigInt(index)));
});

test("a partition that is lost before its start is stored is not read, until it is claimed again (contract 8.6)", async () => {
  const source = await ordersLog(20, 1);
  const backend = createMemoryBackend();
  const operator = createMemoryStore({ backend });
  const inner = createMemoryStore({ backend });
  const key = { consumer: "c1", topic: "orders", partition: 0 };
  let hasReset = false;
  const store = new Proxy(inner, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target);
      if (property !== "commit") return typeof value === "function" ? value.bind(target) : value;
      return async (entries: readonly CommitEntry[], options?: object) => {
        if (!hasReset && entries.some(({ nextOffset }) => nextOffset !== undefined)) {
          hasReset = true;
          await operator.reset([{ key, nextOffset: 5n }]);
        }
        return target.commit(entries, options);
      };
    },
  });
  const events = new EventLog<ConsumerEvent>();
  const options = { source, store, topic: "orders", consumer: "c1", lease: LEASE_MS, maxWait: 50, untilEnd: true };
  await using consumer = await createConsumer({ ...options, onEvent: events.hear });
  const offsets: bigint[] = [];
  for await (const { offset } of consumer) offsets.push(offset);
  expect(offsets).toEqual(Array.from({ length: 15 }, (_, index) => BigInt(index + 5)));
  expect(events.of("assigned")).toHaveLength(1);
});

test("a batch that waits for more goes with its partition (contract 8.7)", async () => {
  const source = await ordersLog(0, 2);
  const backend = createMemoryBackend();
  const options = { source, topic: "orders", consumer: "c1", lease: LEASE_MS, maxWait: 50, flushInterval: 50 };
  const handed: string[] = [];
  const work = async (name: string, consumer: Consumer, linger: number): Promise<void> => {
    for await (const { partition, records } of consumer.batches({ linger }))
      for (const { offset } of records) handed.push(`${name} ${partition}/${offset}`);
  };
  await using first = await createConsumer({ ...options, store: createMemoryStore({ backend }) });
  const running = work("first", first, 3 * LEASE_MS);
  await produce(source, 5, 0);
  await produce(source, 5, 1);
  await using second = await createConsumer({ ...options, store: createMemoryStore({ backend }) });
  const other = work("second", second, 0);
  await eventually(() => handed.length >= 10, 2 * SETTLED_MS);
  expect(new Set(handed.map((name) => name.split(" ")[1])).size).toBe(10);
  expect(handed).toHaveLength(10);
  await Promise.all([first.close(), second.close(), running, other]);
});

test("untilEnd: a partition that comes to the topic after the loop began is not waited for (contract 8.9)", async () => {
  const source = await ordersLog(5, 1);
  await using group = new Group(source);
  const held = Promise.withResolvers<void>();
  const { running, events } = await group.join({ untilEnd: true, partitionRefreshInterval: 20 }, () => held.promise);
  await source.admin.alterTopic("orders", { partitions: 2 });
  await eventually(() => events.of("assigned").some(({ partitions }) => partitions.includes(1)), SETTLED_MS);
  held.resolve();
  await running;
});

test("process: handlers that wait for the member to be sure hear that it never will be (contract 8.5b)", async () => {
  await using group = new Group(await ordersLog(4, 1));
  const { running, member, handled } = await group.join({ untilEnd: true }, () => pause(LEASE_MS), "process");
  await eventually(() => handled.length === 1, SETTLED_MS);
  member.refusesHeartbeats = true;
  await expect(running).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
  expect(handled.length).toBeLessThan(4);
});

test("the former session of an instance that holds nothing ends, too, and takes nothing from the new one (contract 8.10)", async () => {
  await using group = new Group(await ordersLog(5, 1));
  const holder = await group.join();
  await eventually(() => holder.handled.length === 5);
  const first = await group.join({ instance: "pod-0" });
  const second = await group.join({ instance: "pod-0" });
  await expect(first.running).rejects.toThrow(OffsetFencedError);
  await holder.consumer.close();
  await eventually(() => second.consumer.partitions.length === 1, SETTLED_MS);
  expect(second.events.of("revoked")).toEqual([]);
});

test("a session of an instance that was silent until its record was gone is the older, however wrong its clock is (contract 8.10)", async () => {
  await using group = new Group(await ordersLog(5, 1));
  const wallNow = Date.now;
  const wrong = vi.spyOn(Date, "now").mockImplementation(() => wallNow() + 7_200_000);
  onTestFinished(() => void vi.restoreAllMocks());
  const first = await group.join({ instance: "pod-0" });
  wrong.mockRestore();
  await eventually(() => first.handled.length === 5);
  first.member.isCut = true;
  await first.events.first("heartbeat-failed");
  await group.store.leave({ consumer: "c1", topic: "orders", member: "pod-0" });
  const second = await group.join({ instance: "pod-0" });
  const now = performance.now.bind(performance);
  vi.spyOn(performance, "now").mockImplementation(() => now() + 10 * LEASE_MS);
  first.member.isCut = false;
  await expect(first.running).rejects.toThrow(OffsetFencedError);
  expect(second.consumer.partitions).toEqual([0]);
});

test("the former session of an instance that closes late takes nothing from the new one (contract 8.10)", async () => {
  await using group = new Group(await ordersLog(5, 1));
  const first = await group.join({ instance: "pod-0" });
  const third = await group.join();
  await eventually(() => first.handled.length === 5);
  await first.consumer.flush();
  const second = await group.join({ instance: "pod-0" });
  await first.consumer.close();
  await pause(LEASE_MS);
  expect(second.consumer.partitions).toEqual([0]);
  expect(third.consumer.partitions).toEqual([]);
});

test("an operator's reset does not end a session with an instance (contract 8.8, 8.10)", async () => {
  await using group = new Group(await ordersLog(10, 1));
  const { handled, consumer } = await group.join({ instance: "pod-0", renewInterval: 50 });
  await eventually(() => handled.length === 10);
  await consumer.flush();
  await group.store.reset([{ key: { consumer: "c1", topic: "orders", partition: 0 }, nextOffset: 7n }]);
  await eventually(() => handled.length === 13, SETTLED_MS);
});

test("partitions of one's own choice are not balanced (contract 8.7)", async () => {
  const options = { source: await ordersLog(0, 2), store: createMemoryStore(), topic: "orders", consumer: "c1" };
  await expect(createConsumer({ ...options, partitions: [0], sharing: "balanced" })).rejects.toThrow(
    /partitions needs sharing "standby" or "takeover"/,
  );
});

test("sessions in standby that want the same partitions do not wait for each other's (contract 8.6)", async () => {
  const backend = createMemoryBackend();
  const options = { consumer: "c1", topic: "orders", lease: LEASE_MS };
  const low = await openOffsetSession({ ...options, store: openMemberStore(backend).store, partitions: [0] });
  const high = await openOffsetSession({ ...options, store: openMemberStore(backend).store, partitions: [1] });
  const both = { ...options, partitions: [0, 1] };
  const waiting = [
    openOffsetSession({ ...both, store: openMemberStore(backend).store }),
    openOffsetSession({ ...both, partitions: [1, 0], store: openMemberStore(backend).store }),
  ];
  // One of them may get what is free now, the other what is free then.
  await low.close();
  await pause(LEASE_MS / 2);
  await high.close();
  const first = await Promise.race(waiting);
  expect(first.partitions).toEqual([0, 1]);
  await first.close();
  for (const session of await Promise.all(waiting)) await session.close();
});
