import { randomUUID } from "node:crypto";
import type { Change, DriverKey, ListFilter } from "@tidemark/core/driver";
import { describeWithServer } from "@tidemark/test-support/servers";
import type { Collection } from "mongodb";
import { describe, expect, it, onTestFinished } from "vitest";
import { EntryIds } from "../src/entry-ids.ts";
import { MongoDriver } from "../src/mongo-driver.ts";
import type { StoredDocument } from "../src/stored-document.ts";
import { DATABASE, openClient } from "./open-store.ts";

const context = { signal: new AbortController().signal };
const key = (partition: number, topic = "orders"): DriverKey => ({ consumer: "c1", topic, partition });
const keysOf = (count: number): DriverKey[] => Array.from({ length: count }, (_, partition) => key(partition));

/** Versions have 12 characters. */
const version = (name: string): string => name.padEnd(12, "_");

/** A change that stores something. */
function change(of: DriverKey, expected: Change["expected"], name: string, more: Partial<Change> = {}): Change {
  return { key: of, expected, value: `value ${name}`, version: version(name), reclaimAfter: undefined, ...more };
}

function removal(of: DriverKey, expected: Change["expected"], name: string): Change {
  return change(of, expected, name, { value: undefined });
}

await describeWithServer("mongo", ({ url }) => {
  /** Drivers of one namespace. The methods of `instead` take the place of the collection's own. */
  function openNamespace(isGrouped: boolean) {
    const client = openClient(url);
    const documents = client.db(DATABASE).collection<StoredDocument>("offsets");
    const namespace = randomUUID();
    onTestFinished(async () => {
      const own = openClient(url);
      await own.db(DATABASE).collection<StoredDocument>("offsets").deleteMany({ namespace });
    });
    const ids = new EntryIds(namespace);
    const open = (instead: Partial<Collection<StoredDocument>> = {}): MongoDriver => {
      const collection = new Proxy(documents, {
        get(target, name) {
          const own: unknown = Reflect.get(instead, name) ?? Reflect.get(target, name, target);
          return typeof own === "function" ? own.bind(target) : own;
        },
      });
      const options = { client, collection, namespace, timeoutMs: 10_000, isGrouped };
      return new MongoDriver({ ...options, isReplicated: false, durability: "synced", close: async () => undefined });
    };
    return { open, documents, idOf: (of: DriverKey) => ids.of(of) };
  }

  const namesIn = async (driver: MongoDriver, keys: readonly DriverKey[]): Promise<unknown[]> => {
    const { entries } = await driver.read(keys, context);
    return entries.map((entry) => entry?.version?.replaceAll("_", ""));
  };

  describe.each([{ isGrouped: true }, { isGrouped: false }])("a driver with %j", ({ isGrouped }) => {
    it("answers each change of a batch by itself: some are written, some not (contract 4.2b)", async () => {
      const driver = openNamespace(isGrouped).open();
      const keys = keysOf(6);
      const created = keys.slice(0, 5).map((each) => change(each, [null], "a"));
      expect((await driver.write(created, context)).changes).toBeUndefined();
      await driver.write([change(key(1), [version("a")], "b"), change(key(4), [version("a")], "b")], context);
      const changes = keys.map((each) => change(each, [version("a")], "c"));
      const { changes: answers } = await driver.write(changes, context);
      expect(answers).toEqual(["written", "conflict", "written", "written", "conflict", "conflict"]);
      expect(await namesIn(driver, keys)).toEqual(["c", "b", "c", "c", "b", undefined]);
    });

    it("stamps all of a timed call with one time, and tells it (contract 4.2f)", async () => {
      const driver = openNamespace(isGrouped).open();
      const keys = keysOf(3);
      for (const [expected, name, reclaimAfter] of [
        [[null], "a", null],
        [[version("a")], "b", 60_000],
        [[version("b")], "c", null],
        [[version("c")], "d", undefined],
      ] as const) {
        const changes = keys.map((each) => change(each, expected, name, { reclaimAfter }));
        const { writtenAt } = await driver.write(changes, { ...context, timed: true });
        const { now, entries } = await driver.read(keys, context);
        expect(entries).toEqual(keys.map(() => ({ version: version(name), value: `value ${name}`, writtenAt })));
        expect(now).toBeGreaterThanOrEqual(writtenAt ?? Number.POSITIVE_INFINITY);
      }
    });

    it.each([
      ["is written, of what one has written over", ["d"], ["written", "written", "written", "conflict"]],
      ["is uncertain, of what two have written over", ["d", "e"], [{}, "written", "written", {}]],
    ])(
      "when some of a batch met a conflict, answers what %s (contract 4.2b, 4.2e)",
      async (_, overtaking, expected) => {
        const { open, documents } = openNamespace(isGrouped);
        const other = open();
        const keys = keysOf(4);
        await other.write(
          keys.map((each) => change(each, [null], "a")),
          context,
        );
        await other.write([change(key(3), [version("a")], "b")], context);
        const overtake = async (): Promise<void> => {
          let last = "c";
          for (const name of overtaking) {
            await other.write([change(key(0), [version(last)], name)], context);
            last = name;
          }
        };
        const findLate = (...query: Parameters<typeof documents.find>) => ({
          toArray: () => overtake().then(() => documents.find(...query).toArray()),
        });
        const driver = open({ find: findLate as never });
        const { changes = [] } = await driver.write(
          keys.map((each) => change(each, [version("a")], "c")),
          context,
        );
        expect(changes).toMatchObject(expected);
        for (const answer of changes) {
          if (typeof answer !== "object") continue;
          expect(driver.classify(answer.error)).toMatchObject({ code: "UNAVAILABLE", retryable: true });
        }
      },
    );

    it("removes, and tells of removals at once to one of them alone (contract 4.2c)", async () => {
      const { open, documents, idOf } = openNamespace(isGrouped);
      const driver = open();
      const keys = keysOf(100);
      await driver.write(
        keys.map((each) => change(each, [null], "a")),
        context,
      );
      const answers = await Promise.all(
        ["b", "c", "d", "e"].map(async (name) => {
          const removals = keys.map((each) => removal(each, [version("a")], name));
          return (await driver.write(removals, context)).changes ?? keys.map(() => "written");
        }),
      );
      for (const at of keys.keys()) expect(answers.filter((each) => each[at] === "written")).toHaveLength(1);
      expect(answers.flat().filter((answer) => answer !== "written" && answer !== "conflict")).toEqual([]);
      expect(await documents.countDocuments({ _id: { $in: keys.map(idOf) } })).toBe(0);
    });

    it("takes what is removed for nothing until it is deleted: it is not read, not listed, and written over", async () => {
      const { open, documents, idOf } = openNamespace(isGrouped);
      const driver = open({ deleteMany: () => Promise.reject(new Error("the connection is lost")) });
      const keys = keysOf(2);
      await driver.write(
        keys.map((each) => change(each, [null], "a", { reclaimAfter: 60_000 })),
        context,
      );
      const removed = await driver.write(
        keys.map((each) => removal(each, [version("a")], "b")),
        context,
      );
      expect(removed.changes).toBeUndefined();
      expect(await documents.findOne({ _id: idOf(key(0)) })).toEqual({
        ...{ _id: idOf(key(0)), version: "removed", removedBy: version("b"), previous: version("a") },
        expiresAt: expect.any(Date) as Date,
      });
      expect(await namesIn(driver, keys)).toEqual([undefined, undefined]);
      expect(await listed(driver, { kind: "position" })).toEqual([]);
      const again = await driver.write([removal(key(0), [version("a")], "c"), removal(key(1), "any", "c")], context);
      expect(again.changes).toEqual(["conflict", "written"]);
      const made = [change(key(0), [null], "d"), change(key(1), [null], "d", { reclaimAfter: 60_000 })];
      expect((await driver.write(made, context)).changes).toBeUndefined();
      expect(await namesIn(driver, keys)).toEqual(["d", "d"]);
      expect(await listed(driver, { kind: "position", topic: "orders" })).toHaveLength(2);
      expect(Object.keys((await documents.findOne({ _id: idOf(key(0)) })) ?? {}).toSorted()).toEqual(
        ["_id", "namespace", "previous", "topic", "value", "version", "writtenAt"].toSorted(),
      );
    });

    it("compares with nothing, with one of several versions, or not at all (contract 4.2a)", async () => {
      const driver = openNamespace(isGrouped).open();
      const answerTo = async (one: Change) => (await driver.write([one], context)).changes?.[0] ?? "written";
      const a = version("a");
      expect(await answerTo(removal(key(0), [a], "x"))).toBe("conflict");
      expect(await answerTo(removal(key(0), [null], "x"))).toBe("written");
      expect(await answerTo(removal(key(0), "any", "x"))).toBe("written");
      expect(await answerTo(change(key(0), [a], "x"))).toBe("conflict");
      expect(await answerTo(change(key(0), [a, null], "a"))).toBe("written");
      expect(await answerTo(change(key(0), [null], "x"))).toBe("conflict");
      expect(await answerTo(change(key(0), [version("y"), version("x")], "x"))).toBe("conflict");
      expect(await answerTo(change(key(0), [version("y"), a], "b"))).toBe("written");
      expect(await answerTo(change(key(0), "any", "c"))).toBe("written");
      expect(await answerTo(change(key(1), "any", "c"))).toBe("written");
      expect(await answerTo(removal(key(0), [null], "x"))).toBe("conflict");
      expect(await answerTo(removal(key(0), [null, version("c")], "x"))).toBe("written");
      expect(await answerTo(removal(key(1), "any", "x"))).toBe("written");
      expect(await namesIn(driver, keysOf(2))).toEqual([undefined, undefined]);
    });

    it("stores any text as it is, also one that a pipeline takes for a field or an operator (contract 4.5a)", async () => {
      const driver = openNamespace(isGrouped).open();
      const of = [key(0, "$topic"), key(1, "$$NOW"), key(0, "{}")];
      const texts = ["$version", '{"$add":1}', "\u0000 %/ \u{1F30A}"];
      let expected: Change["expected"] = [null];
      for (const [name, reclaimAfter] of [
        ["a", undefined],
        ["_-b", 60_000],
        ["-c", null],
      ] as const) {
        const changes = of.map((each, at) =>
          change(each, expected, name, { value: `${texts[at]}${name}`, reclaimAfter }),
        );
        expect((await driver.write(changes, { ...context, timed: name === "a" })).changes).toBeUndefined();
        const { entries } = await driver.read(of, context);
        expect(entries.map((entry) => entry && "value" in entry && entry.value)).toEqual(
          texts.map((text) => `${text}${name}`),
        );
        expect(await listed(driver, { kind: "position", topic: "$topic" })).toEqual([of[0]]);
        expected = [version(name)];
      }
    });

    it("keeps positions and members apart (contract 4.6b)", async () => {
      const driver = openNamespace(isGrouped).open();
      const names = ["", "7", "member:", "a/b", "%"];
      const members = names.map((member): DriverKey => ({ consumer: "c1", topic: "orders", member }));
      const positions = [key(0), key(7), key(7, "others"), { consumer: "c2", topic: "orders", partition: 7 }];
      const all = [...members, ...positions];
      const created = await driver.write(
        all.map((each) => change(each, [null], "a")),
        context,
      );
      expect(created.changes).toBeUndefined();
      expect(await namesIn(driver, all)).toEqual(all.map(() => "a"));
      const inOrder = (keys: readonly DriverKey[]) => keys.map((each) => JSON.stringify(each)).toSorted();
      for (const filter of [{}, { consumer: "c1" }, { topic: "orders" }, { consumer: "c1", topic: "orders" }]) {
        const matching = (each: DriverKey) =>
          (filter.consumer ?? each.consumer) === each.consumer && (filter.topic ?? each.topic) === each.topic;
        expect(inOrder(await listed(driver, { kind: "member", ...filter }))).toEqual(inOrder(members.filter(matching)));
        expect(inOrder(await listed(driver, { kind: "position", ...filter }))).toEqual(
          inOrder(positions.filter(matching)),
        );
      }
      expect(inOrder(await listed(driver, { kind: "position", partition: 7 }))).toEqual(inOrder(positions.slice(1)));
    });

    it("lists as reclaimable what has expired and no other (contract 4.3a)", async () => {
      const driver = openNamespace(isGrouped).open();
      const changes = [1, 60_000, null].map((reclaimAfter, at) => change(key(at), [null], "a", { reclaimAfter }));
      const { writtenAt = 0 } = await driver.write(changes, { ...context, timed: true });
      await expect.poll(async () => (await driver.read([key(2)], context)).now).toBeGreaterThan(writtenAt + 1);
      const left = await listed(driver, { kind: "position", reclaimable: true });
      // The server's own sweep may have come first.
      expect(left.filter((each) => JSON.stringify(each) !== JSON.stringify(key(0)))).toEqual([]);
      expect((await driver.read([key(1), key(2)], context)).entries.every((entry) => entry !== undefined)).toBe(true);
    });
  });

  it("an update of many that failed half-way tells what it has written", async () => {
    const { open, documents, idOf } = openNamespace(true);
    const keys = keysOf(3);
    const command = async () => {
      await documents.updateOne({ _id: idOf(key(1)) }, { $set: { version: version("b") } });
      return { ok: 1, n: 0, writeErrors: [{ index: 0, code: 121, errmsg: "Document failed validation" }] };
    };
    const driver = open({ db: { command } as never });
    await open().write(
      keys.map((each) => change(each, [null], "a")),
      context,
    );
    const { changes } = await driver.write(
      keys.map((each) => change(each, [version("a")], "b")),
      context,
    );
    expect(changes).toMatchObject([{ status: "failed" }, "written", { status: "failed" }]);
  });

  it("a document of somebody else's under a key is no place for a new entry", async () => {
    const { open, documents, idOf } = openNamespace(true);
    const id = { _id: idOf(key(0)) };
    await documents.insertOne({ ...id, invoice: 5 } as never);
    const driver = open();
    expect((await driver.write([change(key(0), [null], "a")], context)).changes).toEqual(["conflict"]);
    expect((await driver.read([key(0)], context)).entries).toMatchObject([
      { error: { name: "UnreadableRecordError" } },
    ]);
    expect(await documents.findOne(id)).toEqual({ ...id, invoice: 5 });
    expect((await driver.write([removal(key(0), "any", "a")], context)).changes).toBeUndefined();
    expect(await documents.findOne(id)).toBeNull();
  });
});

async function listed(driver: MongoDriver, filter: ListFilter): Promise<DriverKey[]> {
  const keys: DriverKey[] = [];
  for await (const { entries } of driver.list(filter, context)) for (const entry of entries) keys.push(entry.key);
  return keys;
}
