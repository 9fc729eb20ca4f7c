import { execFile } from "node:child_process";
import { getEventListeners } from "node:events";
import { promisify } from "node:util";
import { createConsumer, type ConsumerEvent } from "@tidemark/core";
import { expect, test } from "vitest";
import { EventLog } from "../session/eventually.ts";
import { createFaultyStore, fail, hang, storedOffset } from "../session/faulty-store.ts";
import { key, ordersLog, take } from "./orders.ts";

const options = { topic: "orders", consumer: "c1" };

test("aborted before: nothing is claimed (contract 5.10)", async () => {
  const faulty = createFaultyStore();
  const signal = AbortSignal.abort("enough");
  const created = createConsumer({ ...options, source: await ordersLog(1), store: faulty.store, signal });
  await expect(created).rejects.toBe("enough");
  expect(await faulty.inner.fetch([key])).toEqual([{ status: "absent" }]);
});

test.each(["claimFault", "commitFault"] as const)(
  "aborted while createConsumer hangs in the store (%s) (contract 5.10)",
  async (verb) => {
    const faulty = createFaultyStore({ timeout: 60_000 });
    const controller = new AbortController();
    const { signal } = controller;
    const hanging = Promise.withResolvers<void>();
    faulty[verb] = () => {
      hanging.resolve();
      return hang();
    };
    const created = createConsumer({ ...options, source: await ordersLog(1), store: faulty.store, signal });
    await hanging.promise;
    const at = performance.now();
    controller.abort("enough");
    await expect(created).rejects.toBe("enough");
    expect(performance.now() - at).toBeLessThan(30_000);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  },
);

test("aborted while next() waits; the consumer still flushes and closes, and no listener is left (contract 5.10)", async () => {
  const faulty = createFaultyStore();
  const controller = new AbortController();
  const source = await ordersLog(2);
  const consumer = await createConsumer({ ...options, source, store: faulty.store, signal: controller.signal });
  const loop = async (): Promise<void> => {
    for await (const { offset } of consumer) {
      // After the last one, while the loop waits for more.
      if (offset === 1n) setImmediate(() => controller.abort("enough"));
    }
  };
  await expect(loop()).rejects.toBe("enough");
  await expect(take(consumer, 1)).rejects.toBe("enough");
  await consumer.close();
  expect(await storedOffset(faulty.inner, key)).toBe(2n);
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
});

test.each(["abort", "close"] as const)("a stall ends by %s (contract 5.6)", async (how) => {
  const faulty = createFaultyStore();
  const controller = new AbortController();
  const events = new EventLog<ConsumerEvent>();
  const consumer = await createConsumer({
    ...options,
    source: await ordersLog(2),
    store: faulty.store,
    flushInterval: 5,
    maxUnflushedAge: 20,
    signal: controller.signal,
    onEvent: events.hear,
  });
  faulty.commitFault = fail;
  const loop = take(consumer, 3);
  const ended = loop.catch((error: unknown) => error);
  await events.first("stalled");
  if (how === "abort") controller.abort("enough");
  const closed = consumer.close();
  const unwritten = { name: "OffsetStoreError", code: "UNAVAILABLE" };
  await expect(closed).rejects.toMatchObject(unwritten);
  if (how === "abort") expect(await ended).toBe("enough");
  else expect(await ended).toMatchObject(unwritten);
  expect(getEventListeners(controller.signal, "abort")).toEqual([]);
});

test("await using closes: what is committed is durable (contract 5.10)", async () => {
  const faulty = createFaultyStore();
  {
    await using consumer = await createConsumer({ ...options, source: await ordersLog(2), store: faulty.store });
    await take(consumer, 1);
    consumer.commit();
  }
  expect(await storedOffset(faulty.inner, key)).toBe(1n);
});

async function runProcess(body: string): Promise<string> {
  const script = `
    import { createConsumer } from "@tidemark/core";
    import { createMemoryStore } from "@tidemark/store-memory";
    import { createMemorySource } from "@tidemark/test-support";
    const source = createMemorySource();
    await source.admin.createTopic("orders", { partitions: 1 });
    await source.producer.produce("orders", 0, [{ value: null }, { value: null }]);
    const inner = createMemoryStore();
    let down = false;
    const store = new Proxy(inner, { get: (target, name) => name === "commit" && down
      ? async () => { throw new Error("down"); } : typeof target[name] === "function" ? target[name].bind(target) : target[name] });
    const consumer = await createConsumer({ source, store, topic: "orders", consumer: "c1", flushInterval: 10,
      maxUnflushedAge: 40, onEvent: (event) => { if (event.type === "stalled") setTimeout(() => { down = false; }, 100); } });
    ${body}`;
  const run = promisify(execFile);
  const parameters = [
    "--conditions=@tidemark/source",
    "--no-warnings",
    "--input-type=module-typescript",
    "--eval",
    script,
  ];
  const { stdout } = await run(process.execPath, parameters, { cwd: import.meta.dirname, timeout: 60_000 });
  return stdout.trim();
}

test("a process that left the loop without close() ends by itself (contract 5.10)", async () => {
  const body = `
    for await (const record of consumer) if (record.offset === 1n) break;
    consumer.commit();
    console.log(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length);`;
  expect(await runProcess(body)).toBe("0");
});

test("a signal that aborts right after process() has ended sets no timer (contract 5.10)", async () => {
  const body = `
    const abort = new AbortController();
    const own = await createConsumer({ source, topic: "orders", untilEnd: true, signal: abort.signal });
    await own.process(() => new Promise((resolve) => setTimeout(resolve, 30)));
    abort.abort();
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    console.log(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length);
    process.exit(0);`;
  expect(await runProcess(body)).toBe("0");
});

test("a process() that has ended keeps no process alive, also where the lease is over by then (contract 5.10)", async () => {
  const body = `
    let isAway = false;
    const expired = Promise.withResolvers();
    const away = new Proxy(inner, { get: (target, name) => name === "heartbeat" && isAway
      ? async () => { throw new Error("away"); } : typeof target[name] === "function" ? target[name].bind(target) : target[name] });
    const onEvent = (event) => { if (event.type === "heartbeat-failed" && event.leaseExpired) expired.resolve(); };
    const own = await createConsumer({ source, store: away, topic: "orders", consumer: "c2", lease: 1000, onEvent });
    const fail = async () => {
      isAway = true;
      const awake = setInterval(() => undefined, 1000);
      await expired.promise;
      clearInterval(awake);
      throw new Error("boom");
    };
    await own.process(fail).catch(() => undefined);
    for (let turn = 0; turn < 3; turn += 1) await new Promise((resolve) => setImmediate(resolve));
    console.log(process.getActiveResourcesInfo().filter((name) => name === "Timeout").length);
    process.exit(0);`;
  expect(await runProcess(body)).toBe("0");
});

test("a process that waits in next() during a stall does not end before its time (contract 5.6)", async () => {
  const body = `
    const iterator = consumer[Symbol.asyncIterator]();
    await iterator.next();
    down = true;
    await iterator.next();
    source.producer.produce("orders", 0, [{ value: null }]);
    await new Promise((resolve) => setTimeout(resolve, 80));
    const { value } = await iterator.next();
    console.log(String(value.offset));
    process.exit(0);`;
  expect(await runProcess(body)).toBe("2");
});

test("an abort ends the loop at once, although what is committed waits for a store that never answers (contract 5.2, 5.10)", async () => {
  const faulty = createFaultyStore();
  const source = await ordersLog(2);
  const controller = new AbortController();
  const consumer = await createConsumer({ ...options, source, store: faulty.store, signal: controller.signal });
  faulty.commitFault = hang;
  const iterator = consumer[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.next();
  const waiting = iterator.next();
  controller.abort(new Error("enough"));
  await expect(waiting).rejects.toThrow("enough");
  faulty.commitFault = undefined;
  await consumer.close();
  expect(await storedOffset(faulty.inner, key)).toBe(2n);
});
