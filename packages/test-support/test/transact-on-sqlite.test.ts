import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  type Consumer,
  type ConsumerEvent,
  type ConsumerOptions,
  ConsumerStateError,
  createConsumer,
  OffsetFencedError,
  type OffsetKey,
  openOffsetSession,
} from "@tidemark/core";
import { createMemoryStore } from "@tidemark/store-memory";
import { openSqliteStore } from "@tidemark/store-sqlite";
import { createMemorySource } from "@tidemark/test-support";
import { describe, expect, onTestFinished, test, vi } from "vitest";

const key: OffsetKey = { consumer: "c1", topic: "orders", partition: 0 };
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, index) => from + index);

/** A store whose file takes the results too, and records to make them of. */
async function openBench({ records = 10, partitions = 1 } = {}) {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-transact-"));
  const file = join(folder, "app.db");
  const source = createMemorySource();
  await source.admin.createTopic(key.topic, { partitions });
  for (let partition = 0; partition < partitions; partition += 1) {
    const values = Array.from({ length: records }, (_, index) => ({ value: Buffer.from(String(index)) }));
    await source.producer.produce(key.topic, partition, values);
  }
  const store = await openSqliteStore({ file, synchronous: "normal" });
  const reader = new DatabaseSync(file);
  reader.exec("CREATE TABLE results (topic_partition INTEGER NOT NULL, number INTEGER NOT NULL) STRICT");
  const events: ConsumerEvent[] = [];
  const consumers: Consumer[] = [];
  const open = async <Strategy extends "auto" | "manual">(
    strategy: Strategy,
    more: Partial<ConsumerOptions<DatabaseSync>> = {},
  ) => {
    const consumer = await createConsumer<DatabaseSync>({
      ...{ source, store, topic: key.topic, consumer: key.consumer, flushInterval: 5, untilEnd: true },
      onEvent: (event) => events.push(event),
      ...more,
      strategy: strategy as "manual",
    });
    consumers.push(consumer);
    return consumer;
  };
  onTestFinished(async () => {
    for (const consumer of consumers) await consumer.close().catch(() => undefined);
    await store.close();
    reader.close();
    await rm(folder, { recursive: true });
  });
  const results = (partition = 0): unknown[] =>
    reader
      .prepare("SELECT number FROM results WHERE topic_partition = ? ORDER BY rowid")
      .all(partition)
      .map((row) => row["number"]);
  const stored = async (partition = 0): Promise<bigint | undefined> => {
    const [outcome] = await store.fetch([{ ...key, partition }]);
    return outcome?.status === "found" ? outcome.record.nextOffset : undefined;
  };
  return { source, store, open, results, stored, events, file };
}

/** Writes the results of some records. */
const insert =
  (...records: readonly { readonly partition: number; readonly offset: bigint }[]) =>
  (database: DatabaseSync): void => {
    const statement = database.prepare("INSERT INTO results VALUES (?, ?)");
    for (const { partition, offset } of records) statement.run(partition, offset);
  };

describe.each(["auto", "manual"] as const)("with strategy %s", (strategy) => {
  test("results and position of each record are one transaction, in the order of the log (contract 5.27a)", async () => {
    const { open, results, stored } = await openBench();
    const consumer = await open(strategy);
    for await (const record of consumer) {
      await consumer.transact(record, insert(record));
      expect(await stored()).toBe(record.offset + 1n);
      expect(consumer.position(0)).toBe(record.offset + 1n);
    }
    expect(results()).toEqual(range(0, 10));
  });

  test("of batches, too: the position is the one after the batch (contract 5.27a)", async () => {
    const { open, results, stored } = await openBench({ records: 1_000 });
    const consumer = await open(strategy);
    let batches = 0;
    for await (const batch of consumer.batches({ maxRecords: 300 })) {
      await consumer.transact(batch, insert(...batch.records));
      expect(await stored()).toBe(batch.nextOffset);
      batches += 1;
    }
    expect(batches).toBe(4);
    expect(results()).toEqual(range(0, 1_000));
  });

  test("where the body throws nothing of it is stored, and the next loop hands the batch out again (contract 5.27b)", async () => {
    const { open, results, stored } = await openBench();
    const consumer = await open(strategy);
    const failure = new Error("the insert failed");
    const loop = async (): Promise<void> => {
      for await (const batch of consumer.batches({ maxRecords: 4 })) {
        await consumer.transact(batch, (database) => {
          insert(...batch.records)(database);
          if (batch.records[0]?.offset === 4n) throw failure;
        });
      }
    };
    await expect(loop()).rejects.toBe(failure);
    expect(results()).toEqual(range(0, 4));
    expect(await stored()).toBe(4n);
    for await (const batch of consumer.batches({ maxRecords: 4 })) {
      await consumer.transact(batch, insert(...batch.records));
    }
    expect(results()).toEqual(range(0, 10));
    expect(await stored()).toBe(10n);
  });

  test("a batch may go in parts, from its beginning on (contract 5.27c)", async () => {
    const { open, results, stored } = await openBench();
    const consumer = await open(strategy);
    for await (const batch of consumer.batches()) {
      const [first, second] = batch.records;
      if (first === undefined || second === undefined) throw new Error("too few records");
      const why = (next: number) =>
        strategy === "auto" ? `the next one is record ${next} of partition 0` : "lowest record";
      const notNext = (next: number) => ({ code: "NOT_NEXT", message: expect.stringContaining(why(next)) as unknown });
      await expect(consumer.transact(second, insert(second))).rejects.toMatchObject(notNext(0));
      await consumer.transact(first, insert(first));
      expect(await stored()).toBe(1n);
      await expect(consumer.transact(first, insert(first))).rejects.toMatchObject(notNext(1));
      await consumer.transact({ ...batch, records: batch.records.slice(1) }, insert(...batch.records.slice(1)));
    }
    expect(results()).toEqual(range(0, 10));
    expect(await stored()).toBe(10n);
  });

  test("whoever is superseded writes nothing more, and every result is there once (contract 5.27d)", async () => {
    const { open, results, stored } = await openBench({ records: 400 });
    const first = await open(strategy, { sharing: "takeover" });
    let second: Consumer<DatabaseSync> | undefined;
    const loop = async (consumer: Consumer<DatabaseSync>, takeOverAt?: bigint): Promise<void> => {
      for await (const batch of consumer.batches({ maxRecords: 50 })) {
        if (batch.records[0]?.offset === takeOverAt) second = await open(strategy, { sharing: "takeover" });
        await consumer.transact(batch, insert(...batch.records));
      }
    };
    await expect(loop(first, 200n)).rejects.toBeInstanceOf(OffsetFencedError);
    expect(results()).toEqual(range(0, 200));
    if (second === undefined) throw new Error("nobody took over");
    await loop(second);
    expect(results()).toEqual(range(0, 400));
    expect(await stored()).toBe(400n);
  });

  test("process() with order partition: the transaction is the acknowledgement (contract 5.27e)", async () => {
    const { open, results, stored } = await openBench({ partitions: 3, records: 60 });
    const consumer = await open(strategy);
    const attempts: string[] = [];
    await consumer.process(
      async (record, { attempt }) => {
        if (attempt === 1 && record.offset % 7n === 3n) throw new Error("before it");
        await consumer.transact(record, insert(record));
        attempts.push(`${record.partition}/${record.offset}`);
        if (record.offset === 20n) throw new Error("after it");
      },
      { concurrency: 8, onError: () => "retry" },
    );
    for (const partition of [0, 1, 2]) {
      expect(results(partition)).toEqual(range(0, 60));
      expect(await stored(partition)).toBe(60n);
    }
    expect(new Set(attempts).size).toBe(attempts.length);
  });

  test.each(["key", "none"] as const)(
    "process() with order %s has no transactions: others may be done before what comes first (contract 5.27e)",
    async (order) => {
      const { open, results } = await openBench();
      const consumer = await open(strategy);
      const run = consumer.process((record) => consumer.transact(record, insert(record)), { order });
      await expect(run).rejects.toMatchObject({ name: "ConsumerStateError", code: "NOT_NEXT" });
      expect(results()).toEqual([]);
    },
  );

  test("what is committed beside it, and renewals, never set the position back (contract 5.27f)", async () => {
    const { open, results, stored, events } = await openBench({ records: 300 });
    const consumer = await open(strategy, { ttl: 60_000, renewInterval: 1, flushInterval: 0 });
    let highest = 0n;
    for await (const batch of consumer.batches({ maxRecords: 3 })) {
      if (batch.records[0]?.offset !== undefined && batch.records[0].offset % 2n === 1n) {
        // Its results are elsewhere.
        if (strategy === "manual") consumer.commit(batch);
      } else await consumer.transact(batch, insert(...batch.records));
      const position = (await stored()) ?? 0n;
      expect(position).toBeGreaterThanOrEqual(highest);
      highest = position;
    }
    await consumer.flush();
    expect(await stored()).toBe(300n);
    expect(events.filter(({ type }) => type === "behind" || type === "flush-failed")).toEqual([]);
    expect(results()).toHaveLength(150);
  });

  test("other partitions are flushed meanwhile, and are not part of what is rolled back (contract 5.27f)", async () => {
    const { open, store, stored } = await openBench({ partitions: 2 });
    const consumer = await open(strategy, { partitions: [0] });
    const other = { ...key, partition: 1 };
    await store.claim([{ key: other, token: "t", owner: "o" }]);
    for await (const record of consumer) {
      const write = store.commit([{ key: other, token: "t", nextOffset: record.offset }]);
      const transaction = consumer.transact(record, () => {
        throw new Error("no");
      });
      await expect(transaction).rejects.toThrow("no");
      expect(await write).toEqual([{ status: "committed" }]);
      expect(await stored(1)).toBe(record.offset);
      await consumer.transact(record, () => undefined);
    }
    expect(await stored()).toBe(10n);
  });
});

test("a body that returns a promise is refused and rolled back; what it goes on with gets nowhere (contract 3.16i)", async () => {
  const { open, results, stored } = await openBench();
  const consumer = await open("manual");
  for await (const record of consumer) {
    const gate = Promise.withResolvers<void>();
    const late = Promise.withResolvers<unknown>();
    const transaction = consumer.transact(record, async (database) => {
      insert(record)(database);
      await gate.promise;
      try {
        insert(record)(database);
        late.resolve(undefined);
      } catch (error) {
        late.resolve(error);
      }
    });
    await expect(transaction).rejects.toThrow(TypeError);
    await expect(transaction).rejects.toThrow(/must be synchronous with the sqlite store/u);
    expect(await stored()).toBe(record.offset);
    gate.resolve();
    expect(await late.promise).toMatchObject({ message: "database is not open" });
    await consumer.transact(record, insert(record));
  }
  expect(results()).toEqual(range(0, 10));
});

test("a body that returns a query that is only run when it is awaited is refused: it would never run (contract 3.16i)", async () => {
  const { open, results, stored } = await openBench();
  const consumer = await open("manual");
  for await (const record of consumer) {
    const then = vi.fn<() => void>();
    const query = {};
    Reflect.set(query, "then", then);
    const transaction = consumer.transact(record, () => query);
    await expect(transaction).rejects.toThrow(/must be synchronous with the sqlite store/u);
    expect(then).not.toHaveBeenCalled();
    break;
  }
  expect(await stored()).toBe(0n);
  expect(results()).toEqual([]);
});

test("a body that ends the transaction itself is told so", async () => {
  const { open, stored } = await openBench();
  const consumer = await open("auto");
  for await (const record of consumer) {
    const transaction = consumer.transact(record, (database) => database.exec("ROLLBACK"));
    await expect(transaction).rejects.toThrow(/no transaction open/u);
    break;
  }
  expect(await stored()).toBe(0n);
});

test("transactions of several partitions take turns on one file (contract 3.16i)", async () => {
  const { open, results } = await openBench({ partitions: 8, records: 40 });
  const consumer = await open("manual");
  const work: Promise<void>[] = [];
  for await (const batch of consumer.batches({ maxRecords: 40 })) {
    work.push(consumer.transact(batch, insert(...batch.records)));
  }
  await Promise.all(work);
  for (const partition of range(0, 8)) expect(results(partition)).toEqual(range(0, 40));
});

test("one transaction of a partition at a time, and commitWithin is one (contract 5.27c)", async () => {
  const { open, stored } = await openBench();
  const consumer = await open("manual");
  for await (const batch of consumer.batches()) {
    const first = consumer.transact(batch, () => undefined);
    await expect(consumer.transact(batch, () => undefined)).rejects.toMatchObject({ code: "NOT_NEXT" });
    const other = new DatabaseSync(":memory:");
    await expect(consumer.commitWithin(other, batch)).rejects.toMatchObject({ code: "NOT_NEXT" });
    other.close();
    await first;
  }
  expect(await stored()).toBe(10n);
});

test("a batch of a partition that was lost meanwhile rejects, and its body does not run (contract 5.27d)", async () => {
  const { open, store } = await openBench({ partitions: 2 });
  const consumer = await open("manual", { sharing: "takeover", onFenced: "continue" });
  let refused = 0;
  for await (const batch of consumer.batches()) {
    const own = { ...key, partition: batch.partition };
    if (refused === 0) {
      await store.claim([{ key: own, token: "another", owner: "o" }]);
      consumer.commit(batch);
      await consumer.flush().catch(() => undefined);
      let isRun = false;
      const transaction = consumer.transact(batch, () => {
        isRun = true;
      });
      await expect(transaction).rejects.toMatchObject({ name: "ConsumerStateError", code: "NOT_HELD" });
      expect(isRun).toBe(false);
      refused += 1;
    } else await consumer.transact(batch, () => undefined);
  }
  expect(refused).toBe(1);
});

test("close() waits for the transaction under way, and releases after it (contract 5.27g)", async () => {
  const { open, store, results, stored } = await openBench();
  const consumer = await open("manual");
  const loop = consumer.batches()[Symbol.asyncIterator]();
  const { value: batch } = await loop.next();
  if (batch === undefined) throw new Error("no batch");
  const transaction = consumer.transact(batch, insert(...batch.records));
  await consumer.close();
  await transaction;
  expect(results()).toEqual(range(0, 10));
  expect(await stored()).toBe(10n);
  expect(await store.fetch([key])).not.toMatchObject([{ record: { owner: expect.anything() as unknown } }]);
});

test("a session of a user's own client has it too, for one record or several (contract 5.27a)", async () => {
  const { store, results, stored } = await openBench();
  const session = await openOffsetSession({ store, consumer: key.consumer, topic: key.topic, partitions: [0, 1] });
  session.startAt(0, 0n);
  const records = range(0, 6).map((offset) => ({ partition: 0, offset: BigInt(offset) }));
  const [first, second, ...others] = records;
  if (first === undefined || second === undefined) throw new Error("too few");
  for (const record of records) session.deliver(record);
  await session.transact(first, insert(first));
  await expect(session.transact(others, () => undefined)).rejects.toMatchObject({ code: "NOT_NEXT" });
  session.acknowledge(second);
  await session.transact(others, insert(...others));
  expect(session.position(0)).toBe(6n);
  expect(await stored()).toBe(6n);
  expect(results()).toEqual([0, 2, 3, 4, 5]);
  await session.close();
});

test("metadata and the mark are kept, and metadata that waits to be flushed goes along (contract 5.27a)", async () => {
  const { store, open } = await openBench();
  const consumer = await open("manual", { flushInterval: 60_000 });
  for await (const record of consumer) {
    if (record.offset === 0n) consumer.commit(record, { metadata: "of record 0" });
    else await consumer.transact(record, () => undefined);
    if (record.offset === 1n) break;
  }
  expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 2n, metadata: "of record 0" } }]);
});

describe("what cannot be", () => {
  test("a store without transactions of its own says what to do (contract 3.16f)", async () => {
    const { source } = await openBench();
    const store = createMemoryStore();
    expect(store.transact).toBe(undefined);
    const consumer = await createConsumer({ source, store, topic: key.topic, consumer: "c", untilEnd: true });
    for await (const record of consumer) {
      const transaction = consumer.transact(record, () => undefined);
      await expect(transaction).rejects.toMatchObject({ code: "UNSUPPORTED", operation: "transact" });
      await expect(transaction).rejects.toThrow(/idempotent/u);
      break;
    }
    await consumer.close();
  });

  test("a consumer that commits nothing has none (contract 5.27c)", async () => {
    const { source } = await openBench();
    const consumer = await createConsumer({ source, topic: key.topic, untilEnd: true });
    const transaction = consumer.transact({ partition: 0, offset: 0n }, () => undefined);
    await expect(transaction).rejects.toMatchObject({ name: "ConsumerStateError", code: "NEEDS_MANUAL" });
    await consumer.close();
  });

  test("arguments that make no sense are refused before anything is begun", async () => {
    const { open, store } = await openBench();
    const consumer = await open("auto");
    for await (const record of consumer) {
      const body = () => undefined;
      await expect(consumer.transact(record, undefined as never)).rejects.toThrow(TypeError);
      await expect(consumer.transact(undefined as never, body)).rejects.toThrow(TypeError);
      await expect(consumer.transact({ partition: 0, offset: 5n }, body)).rejects.toBeInstanceOf(ConsumerStateError);
      await expect(consumer.transact({ partition: 7, offset: 0n }, body)).rejects.toThrow();
      const batch = { partition: 0, records: [], nextOffset: 1n, epoch: 0 };
      await expect(consumer.transact(batch, body)).rejects.toThrow(TypeError);
      const signal = AbortSignal.abort(new Error("given up"));
      await expect(consumer.transact(record, body, { signal })).rejects.toThrow("given up");
      break;
    }
    const entry = { key, token: "t", from: 0n, nextOffset: 1n };
    const { transact } = store;
    if (transact === undefined) throw new Error("SQLite has transactions");
    for (const wrong of [
      { ...entry, from: 1n },
      { ...entry, nextOffset: undefined },
      { ...entry, recreate: true },
      { ...entry, from: 1 },
      undefined,
    ]) {
      await expect(transact(wrong as never, () => undefined)).rejects.toThrow(/from|nextOffset|field|entry/u);
    }
    await expect(transact(entry, 1 as never)).rejects.toThrow("body must be a function, not number 1");
  });
});
