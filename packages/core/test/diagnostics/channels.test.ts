import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe, tracingChannel, unsubscribe } from "node:diagnostics_channel";
import { createConsumer, type DiagnosticsCalls, type DiagnosticsMessages, openOffsetSession } from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { afterEach, expect, test, vi } from "vitest";
import { key, ordersLog, take } from "../consumer/orders.ts";
import { createFaultyStore, fail } from "../session/faulty-store.ts";
import { eventually } from "../session/eventually.ts";

const options = { topic: "orders", consumer: "c1" };
const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
});

/** Collects what is published on a channel until the test ends. */
function messagesOf<Name extends keyof DiagnosticsMessages>(name: Name): DiagnosticsMessages[Name][] {
  const messages: DiagnosticsMessages[Name][] = [];
  const hear = (message: unknown): void => void messages.push(message as DiagnosticsMessages[Name]);
  subscribe(name, hear);
  undo.push(() => unsubscribe(name, hear));
  return messages;
}

/** Collects the steps of calls until the test ends. */
function callsOf<Name extends keyof DiagnosticsCalls>(
  name: Name,
): { readonly steps: string[]; readonly ended: DiagnosticsCalls[Name][] } {
  const steps: string[] = [];
  const ended: DiagnosticsCalls[Name][] = [];
  const step = (text: string) => (): void => void steps.push(text);
  const subscribers = {
    ...{ start: step("start"), end: step("end"), asyncStart: step("asyncStart"), error: step("error") },
    asyncEnd: (message: object): void => {
      steps.push("asyncEnd");
      ended.push(message as DiagnosticsCalls[Name]);
    },
  };
  const channel = tracingChannel<unknown, object>(name);
  channel.subscribe(subscribers);
  undo.push(() => channel.unsubscribe(subscribers));
  return { steps, ended };
}

test("a claim, a fetch and a flush are calls that begin and end, with what came of them (contract 5.28)", async () => {
  const claims = callsOf("tidemark:claim");
  const fetches = callsOf("tidemark:fetch");
  const flushes = callsOf("tidemark:flush");
  const source = await ordersLog(3);
  await using consumer = await createConsumer({ ...options, source, store: createMemoryStore(), untilEnd: true });
  await take(consumer, 3);
  await consumer.close();
  expect(claims.steps).toEqual(["start", "end", "asyncStart", "asyncEnd"]);
  expect(claims.ended).toMatchObject([
    { consumer: "c1", topic: "orders", store: "memory", partitions: [0], result: [{ status: "claimed" }] },
  ]);
  const [fetched] = fetches.ended;
  expect(fetched).toMatchObject({ consumer: "c1", topic: "orders", partition: 0, offset: 0n });
  expect(fetched?.result?.records).toHaveLength(3);
  expect(flushes.ended).toContainEqual(
    expect.objectContaining({
      ...{ consumer: "c1", topic: "orders", store: "memory" },
      positions: [{ partition: 0, nextOffset: 2n }],
      result: [expect.objectContaining({ status: "committed" }) as unknown],
    }),
  );
});

test("a call that fails says why, and what it failed with is heard as ever (contract 5.28)", async () => {
  const flushes = callsOf("tidemark:flush");
  const failures = messagesOf("tidemark:flush-failed");
  const faulty = createFaultyStore();
  await using session = await openOffsetSession({ ...options, store: faulty.store, partitions: [0] });
  faulty.commitFault = fail;
  session.deliver({ partition: 0, offset: 0n });
  session.commit();
  await expect(session.flush()).rejects.toThrow("the store is down");
  faulty.commitFault = undefined;
  expect(flushes.steps.slice(0, 5)).toEqual(["start", "end", "error", "asyncStart", "asyncEnd"]);
  expect(flushes.ended[0]?.error).toMatchObject({ code: "UNAVAILABLE" });
  expect(failures).toMatchObject([{ type: "flush-failed", consumer: "c1", topic: "orders", keys: [key] }]);
});

test("records are told as they are handed out: one by one, as a batch, and to handlers (contract 5.28)", async () => {
  const delivered = messagesOf("tidemark:deliver");
  const told = (): string[] =>
    delivered
      .splice(0)
      .map(({ partition, records }) => `${partition}: ${records.map(({ offset }) => offset).join(" ")}`);
  const source = await ordersLog(3, 2);
  const open = (): ReturnType<typeof createConsumer> =>
    createConsumer({ topic: "orders", source, untilEnd: true, partitions: [0] });
  await using one = await open();
  await take(one, 3);
  expect(delivered[0]).toMatchObject({ consumer: undefined, topic: "orders" });
  expect(told()).toEqual(["0: 0", "0: 1", "0: 2"]);
  await using batches = await open();
  for await (const { records } of batches.batches()) expect(records).toHaveLength(3);
  expect(told()).toEqual(["0: 0 1 2"]);
  await using handled = await open();
  const attempts = callsOf("tidemark:process");
  await handled.process(
    ({ offset }, { attempt }) => {
      if (offset === 1n && attempt === 1) throw new Error("not yet");
    },
    { onError: () => "retry" },
  );
  expect(told()).toEqual(["0: 0", "0: 1", "0: 2"]);
  expect(attempts.ended.map(({ record, attempt, error }) => [record.offset, attempt, error !== undefined])).toEqual([
    [0n, 1, false],
    [1n, 1, true],
    [1n, 2, false],
    [2n, 1, false],
  ]);
});

test("a call's context is the subscriber's: what is done within it belongs to it (contract 5.28)", async () => {
  const storage = new AsyncLocalStorage<string>();
  const channel = tracingChannel<string, object>("tidemark:process");
  channel.start.bindStore(
    storage,
    (message) => `record ${(message as DiagnosticsCalls["tidemark:process"]).record.offset}`,
  );
  undo.push(() => void channel.start.unbindStore(storage));
  await using consumer = await createConsumer({ topic: "orders", source: await ordersLog(2), untilEnd: true });
  const seen: (string | undefined)[] = [];
  await consumer.process(async () => {
    await Promise.resolve();
    seen.push(storage.getStore());
  });
  expect(seen).toEqual(["record 0", "record 1"]);
});

test("a reset and what sharing does are told with whose they are (contract 5.28)", async () => {
  const resets = messagesOf("tidemark:reset");
  const started = messagesOf("tidemark:started");
  const assigned = messagesOf("tidemark:assigned");
  const waiting = messagesOf("tidemark:waiting");
  const revoked = messagesOf("tidemark:revoked");
  const store = createMemoryStore();
  const source = await ordersLog(3);
  await using first = await createConsumer({ ...options, source, store, start: 9n });
  expect(resets).toMatchObject([{ consumer: "c1", topic: "orders", partition: 0, from: 9n, to: 0n }]);
  expect(started).toMatchObject([{ consumer: "c1", topic: "orders", partition: 0, nextOffset: 0n }]);
  expect(assigned).toMatchObject([{ consumer: "c1", topic: "orders", partitions: [0] }]);
  await using second = await createConsumer({ ...options, source, store, sharing: "standby", partitions: [0] });
  await eventually(() => waiting.length > 0);
  expect(waiting[0]).toMatchObject({ consumer: "c1", topic: "orders", key });
  await using third = await createConsumer({ ...options, source, store, sharing: "takeover", partitions: [0] });
  // What it commits is refused: it has lost its claim.
  const taking = take(first, 3);
  await eventually(() => revoked.length > 0);
  expect(revoked[0]).toMatchObject({ consumer: "c1", topic: "orders", partitions: [0], reason: "superseded" });
  await Promise.all([first.close(), second.close(), third.close(), taking]);
});

test("nobody can change a message (contract 5.28)", async () => {
  const delivered = messagesOf("tidemark:deliver");
  const started = messagesOf("tidemark:started");
  const flushes = callsOf("tidemark:flush");
  await using consumer = await createConsumer({
    ...{ ...options, source: await ordersLog(1), store: createMemoryStore(), untilEnd: true },
  });
  await take(consumer, 1);
  await consumer.close();
  const frozen = [delivered[0], delivered[0]?.records, started[0], flushes.ended[0]?.positions];
  expect(frozen.map((value) => value !== undefined && Object.isFrozen(value))).toEqual([true, true, true, true]);
});

test("what a subscriber throws is an uncaught exception, and changes nothing (contract 5.28)", async () => {
  const thrown: unknown[] = [];
  const others = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.on("uncaughtException", (error) => thrown.push(error));
  undo.push(() => {
    process.removeAllListeners("uncaughtException");
    for (const other of others) process.on("uncaughtException", other);
  });
  const broken = (): never => {
    throw new Error("broken subscriber");
  };
  for (const name of ["tidemark:deliver", "tidemark:started"]) {
    subscribe(name, broken);
    undo.push(() => unsubscribe(name, broken));
  }
  for (const name of ["tidemark:fetch", "tidemark:flush", "tidemark:claim"]) {
    const channel = tracingChannel<unknown, object>(name);
    const subscribers = { start: broken, end: broken, asyncStart: broken, asyncEnd: broken, error: broken };
    channel.subscribe(subscribers);
    undo.push(() => channel.unsubscribe(subscribers));
  }
  const store = createMemoryStore();
  await using consumer = await createConsumer({ ...options, source: await ordersLog(3), store, untilEnd: true });
  expect(await take(consumer, 3)).toEqual([0n, 1n, 2n]);
  await consumer.close();
  expect(await store.fetch([key])).toMatchObject([{ status: "found", record: { nextOffset: 2n } }]);
  await vi.waitFor(() => expect(thrown.length).toBeGreaterThanOrEqual(7), 20_000);
});
