import { randomBytes } from "node:crypto";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { type Collection, Long, MongoClient, type MongoServerError } from "mongodb";
import { Client } from "pg";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";

import { openRawConnection } from "./raw-connection.ts";

interface Thing {
  _id: number | string;
  n?: number | Long;
  at?: Date;
}

const TRANSIENT = "TransientTransactionError";
const diesInTransaction = fileURLToPath(new URL("die-in-transaction.ts", import.meta.url));

// Where no test speaks of the gateway itself, a replica set must behave the same.
await describeWithTransactions(({ url, behind }) => {
  const database = `gateway-${randomBytes(6).toString("hex")}`;
  let client: MongoClient;
  let other: MongoClient;
  let things: Collection<Thing>;
  let seenByOthers: Collection<Thing>;

  beforeAll(async () => {
    client = await MongoClient.connect(url);
    other = await MongoClient.connect(url);
    things = client.db(database).collection("things");
    seenByOthers = other.db(database).collection("things");
  });
  beforeEach(async () => {
    await things.deleteMany({});
    await things.insertOne({ _id: 1, n: 10 });
  });
  afterAll(async () => {
    await client.db(database).dropDatabase();
    await client.close();
    await other.close();
  });

  const failure = async (promise: Promise<unknown>): Promise<MongoServerError> => {
    const error: unknown = await promise.then(
      () => new Error("it succeeded"),
      (reason: unknown) => reason,
    );
    return error as MongoServerError;
  };

  it("shows a transaction's writes to itself at once, and to others after its commit", async () => {
    const session = client.startSession();
    session.startTransaction();
    await things.updateOne({ _id: 1 }, { $inc: { n: 1 } }, { session });
    await things.insertMany([{ _id: 2 }, { _id: 3 }], { session });
    await things.deleteOne({ _id: 3 }, { session });
    const updated = await things.findOneAndUpdate(
      { _id: 4, n: { $exists: false } },
      [{ $set: { n: { $add: [{ $literal: 41 }, "$$one"] }, at: "$$NOW" } }],
      { session, upsert: true, returnDocument: "after", let: { one: 1 } },
    );
    expect(updated).toMatchObject({ _id: 4, n: 42, at: expect.any(Date) as Date });
    const inside = [{ _id: 1, n: 11 }, { _id: 2 }, { _id: 4, n: 42 }];
    const read = { projection: { at: 0 }, sort: { _id: 1 } } as const;
    expect(await things.find({}, { session, ...read }).toArray()).toEqual(inside);
    expect(await things.countDocuments({}, { session })).toBe(3);
    expect(await seenByOthers.find().toArray()).toEqual([{ _id: 1, n: 10 }]);
    await session.commitTransaction();
    expect(await seenByOthers.find({}, read).toArray()).toEqual(inside);
    await session.endSession();
  });

  it("takes everything back on abort, a collection made inside too", async () => {
    const session = client.startSession();
    session.startTransaction();
    await things.updateOne({ _id: 1 }, { $set: { n: 11 } }, { session });
    await things.updateOne({ _id: 2 }, { $set: { n: 2 } }, { session, upsert: true });
    await client.db(database).collection<Thing>("made-inside").insertOne({ _id: 1 }, { session });
    await session.abortTransaction();
    expect(await things.find().toArray()).toEqual([{ _id: 1, n: 10 }]);
    expect(await client.db(database).listCollections({ name: "made-inside" }).toArray()).toEqual([]);
    await session.endSession();
  });

  it("reads from one snapshot", async () => {
    const session = client.startSession();
    session.startTransaction();
    expect(await things.findOne({ _id: 1 }, { session })).toEqual({ _id: 1, n: 10 });
    await seenByOthers.updateOne({ _id: 1 }, { $set: { n: 11 } });
    expect(await things.findOne({ _id: 1 }, { session })).toEqual({ _id: 1, n: 10 });
    const error = await failure(things.updateOne({ _id: 1 }, { $set: { n: 12 } }, { session }));
    expect(error).toMatchObject({ code: 112, codeName: "WriteConflict" });
    expect(error.hasErrorLabel(TRANSIENT)).toBe(true);
    await session.abortTransaction();
    expect(await things.findOne({ _id: 1 })).toEqual({ _id: 1, n: 11 });
    await session.endSession();
  });

  it.each<
    [string, (collection: Collection<Thing>, session: ReturnType<MongoClient["startSession"]>) => Promise<unknown>]
  >([
    ["update", (collection, session) => collection.updateOne({ _id: 1 }, { $set: { n: 2 } }, { session })],
    [
      "bulkWrite",
      (collection, session) =>
        collection.bulkWrite([{ updateOne: { filter: { _id: 1 }, update: { $set: { n: 2 } } } }], {
          session,
          ordered: false,
        }),
    ],
    ["delete", (collection, session) => collection.deleteOne({ _id: 1 }, { session })],
    [
      "findAndModify",
      (collection, session) => collection.findOneAndUpdate({ _id: 1 }, { $inc: { n: 1 } }, { session }),
    ],
  ])("fails the second of two open transactions that %s one document, and lets the first commit", async (_, act) => {
    const [first, second] = [client.startSession(), other.startSession()];
    first.startTransaction();
    second.startTransaction();
    await things.updateOne({ _id: 1 }, { $set: { n: 1 } }, { session: first });
    const error = await failure(act(seenByOthers, second));
    expect(error).toMatchObject({ code: 112 });
    expect(error.hasErrorLabel(TRANSIENT)).toBe(true);
    const after = await failure(seenByOthers.insertOne({ _id: 5 }, { session: second }));
    expect(after).toMatchObject({ code: 251, codeName: "NoSuchTransaction" });
    expect(after.hasErrorLabel(TRANSIENT)).toBe(true);
    await first.commitTransaction();
    expect(await things.find().toArray()).toEqual([{ _id: 1, n: 1 }]);
    await first.endSession();
    await second.endSession();
  });

  it("withTransaction tries again after conflicts: 6 clients that add 10 times each lose nothing", async () => {
    let attempts = 0;
    const add = async (): Promise<void> => {
      const session = client.startSession();
      for (let time = 0; time < 10; time += 1) {
        await session.withTransaction(async () => {
          attempts += 1;
          const before = await things.findOne({ _id: 1 }, { session });
          await things.updateOne({ _id: 1 }, { $set: { n: Number(before?.n) + 1 } }, { session });
        });
      }
      await session.endSession();
    };
    await Promise.all(Array.from({ length: 6 }, add));
    expect(await things.findOne({ _id: 1 })).toEqual({ _id: 1, n: 70 });
    expect(attempts).toBeGreaterThan(60);
  });

  it("aborts after an error of any kind, and names it as MongoDB does", async () => {
    const session = client.startSession();
    const cases: [number, () => Promise<unknown>][] = [
      [11_000, () => things.insertOne({ _id: 1 }, { session })],
      [66, () => things.updateOne({ _id: 1 }, { $set: { _id: 2 } }, { session })],
      [9, () => things.updateOne({ _id: 1 }, { $nothing: { n: 2 } }, { session })],
      [2, () => things.findOne({ n: { $nothing: 1 } }, { session })],
      [263, () => client.db(database).command({ collStats: "things" }, { session })],
    ];
    for (const [code, act] of cases) {
      session.startTransaction();
      await things.updateOne({ _id: 1 }, { $set: { n: 99 } }, { session });
      const error = await failure(act());
      expect(error).toMatchObject({ code });
      expect(error.hasErrorLabel(TRANSIENT)).toBe(false);
      expect(await failure(things.findOne({}, { session }))).toMatchObject({ code: 251 });
      await session.abortTransaction();
    }
    expect(await things.find().toArray()).toEqual([{ _id: 1, n: 10 }]);
    await session.endSession();
  });

  it("a commit that comes after the end fails, and may be repeated after a commit", async () => {
    const session = client.startSession();
    session.startTransaction();
    await things.insertOne({ _id: 2 }, { session });
    await session.commitTransaction();
    await session.commitTransaction();
    session.startTransaction();
    expect(await failure(things.insertOne({ _id: 2 }, { session }))).toMatchObject({ code: 11_000 });
    const error = await failure(session.commitTransaction());
    expect(error).toMatchObject({ code: 251, codeName: "NoSuchTransaction" });
    expect(error.hasErrorLabel(TRANSIENT)).toBe(true);
    await session.endSession();
  });

  it.each([{}, { sort: { _id: -1 } } as const])("pages through what a transaction has written: %o", async (options) => {
    const session = client.startSession();
    session.startTransaction();
    await things.insertMany(
      Array.from({ length: 300 }, (_, index) => ({ _id: 100 + index, n: Long.fromString("9007199254740993") })),
      { session },
    );
    const cursor = things.find({ _id: { $gte: 100 } }, { session, batchSize: 7, promoteLongs: false, ...options });
    const read = await cursor.toArray();
    expect(read.map(({ _id }) => Number(_id)).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 300 }, (_, index) => 100 + index),
    );
    expect(String(read[0]?.n)).toBe("9007199254740993");
    const left = things.find({ _id: { $gte: 100 } }, { session, batchSize: 7, ...options });
    await left.next();
    await left.close();
    expect(await things.countDocuments({}, { session })).toBe(301);
    await session.abortTransaction();
    expect(await things.countDocuments()).toBe(1);
    await session.endSession();
  });

  describe.runIf(behind !== undefined)("the gateway", () => {
    const transaction = (id: Buffer, number: number) => ({
      lsid: { id },
      txnNumber: Long.fromNumber(number),
      autocommit: false,
      $db: database,
    });
    const inAdmin = { $db: "admin" };

    it("keeps MongoDB's rules of numbers and states, for any connection of the session", async () => {
      const [one, two] = [await openRawConnection(url), await openRawConnection(url)];
      const id = randomBytes(16);
      const insert = (_id: number) => ({ insert: "things", documents: [{ _id }] });
      const begin = { startTransaction: true };
      expect(await one.send({ ...insert(2), ...transaction(id, 1) })).toMatchObject({ ok: 0, code: 251 });
      expect(await one.send({ ...insert(2), ...transaction(id, 1), ...begin })).toMatchObject({ ok: 1, n: 1 });
      expect(await two.send({ ...insert(3), ...transaction(id, 1) })).toMatchObject({ ok: 1, n: 1 });
      expect(await two.send({ ...insert(4), ...transaction(id, 1), ...begin })).toMatchObject({ ok: 0, code: 117 });
      expect(await two.send({ ...insert(4), ...transaction(id, 0) })).toMatchObject({ ok: 0, code: 225 });
      expect(await two.send({ ...insert(4), ...transaction(id, 2) })).toMatchObject({ ok: 0, code: 251 });
      // It goes on while one of the connections that carried it lives.
      const three = await openRawConnection(url);
      expect(await three.send({ ...insert(5), ...transaction(id, 1) })).toMatchObject({ ok: 1, n: 1 });
      three.destroy();
      await three.closed;
      expect(await two.send({ commitTransaction: 1, ...transaction(id, 1), ...inAdmin })).toEqual({ ok: 1 });
      expect(await one.send({ commitTransaction: 1, ...transaction(id, 1), ...inAdmin })).toEqual({ ok: 1 });
      expect(await one.send({ abortTransaction: 1, ...transaction(id, 1), ...inAdmin })).toMatchObject({ code: 256 });
      expect(await one.send({ ...insert(4), ...transaction(id, 1) })).toMatchObject({ ok: 0, code: 256 });
      expect(await one.send({ ...insert(4), ...transaction(id, 2), ...begin })).toMatchObject({ n: 1 });
      // A later one ends the one before it.
      expect(await one.send({ ...insert(4), ...transaction(id, 3), ...begin })).toMatchObject({ n: 1 });
      expect(await one.send({ abortTransaction: 1, ...transaction(id, 3), ...inAdmin })).toEqual({ ok: 1 });
      for (const end of ["commitTransaction", "abortTransaction"]) {
        expect(await one.send({ [end]: 1, ...transaction(id, 3), ...inAdmin })).toMatchObject({
          code: 251,
          errorLabels: [TRANSIENT],
        });
      }
      expect((await things.find().toArray()).map(({ _id }) => _id)).toEqual([1, 2, 3, 5]);
      one.destroy();
      two.destroy();
    });

    it("takes messages in any pieces, and with a checksum", async () => {
      const connection = await openRawConnection(url);
      const command = { insert: "things", documents: [{ _id: "autocommit" }], $db: database };
      expect(await connection.send(command, { inPieces: true })).toMatchObject({ n: 1 });
      const id = randomBytes(16);
      const inside = { insert: "things", documents: [{ _id: 7 }], ...transaction(id, 1), startTransaction: true };
      expect(await connection.send(inside, { inPieces: true, checksum: true })).toMatchObject({ n: 1 });
      expect(await connection.send({ commitTransaction: 1, ...transaction(id, 1), ...inAdmin })).toEqual({ ok: 1 });
      expect(await things.countDocuments()).toBe(3);
      connection.destroy();
    });

    it("forwards what is in no transaction: the same data, retryable writes, large documents", async () => {
      const direct = await MongoClient.connect(behind?.url ?? "");
      const forwarded = { $set: { n: 5 } };
      expect(await things.updateOne({ _id: 1 }, forwarded)).toMatchObject({ matchedCount: 1 });
      const value = "x".repeat(5_000_000);
      await client.db(database).collection("large").insertOne({ value });
      expect(await direct.db(database).collection("things").find().toArray()).toEqual([{ _id: 1, n: 5 }]);
      expect(
        await direct
          .db(database)
          .collection("large")
          .findOne({}, { projection: { _id: 0 } }),
      ).toEqual({ value });
      expect(await client.db("admin").command({ buildInfo: 1 })).toHaveProperty("ferretdb");
      expect(await client.db("admin").command({ hello: 1 })).toMatchObject({ setName: "tidemark-gateway" });
      expect(await direct.db("admin").command({ hello: 1 })).not.toHaveProperty("setName");
      await direct.close();
    });

    it("differs: an insert of what others have inserted since the snapshot is a duplicate, and $$NOW stands still", async () => {
      const session = client.startSession();
      session.startTransaction();
      const stamp = async (): Promise<Date | undefined> => {
        const options = { session, upsert: true, returnDocument: "after" } as const;
        const stamped = await things.findOneAndUpdate({ _id: 8 }, [{ $set: { at: "$$NOW" } }], options);
        return stamped?.at;
      };
      const first = await stamp();
      await seenByOthers.insertOne({ _id: 9 });
      expect(await stamp()).toEqual(first);
      expect(await things.findOne({ _id: 9 }, { session })).toBeNull();
      const error = await failure(things.insertOne({ _id: 9 }, { session }));
      expect(error).toMatchObject({ code: 11_000 });
      expect(error.hasErrorLabel(TRANSIENT)).toBe(false);
      await session.abortTransaction();
      await session.endSession();
    });

    it("rolls back at once what a killed client has left", async () => {
      const child = spawn(process.execPath, ["--conditions=@tidemark/source", diesInTransaction, url, database], {
        stdio: ["ignore", "pipe", "inherit"],
      });
      const exited = once(child, "exit");
      await Promise.race([once(child.stdout, "data"), exited]);
      const waiting = things.updateOne({ _id: 1 }, { $inc: { n: 1 } });
      child.kill("SIGKILL");
      expect(await exited).toEqual([null, "SIGKILL"]);
      await waiting;
      expect(await things.find().toArray()).toEqual([{ _id: 1, n: 11 }]);
    });

    it("rolls back what a client began that did not wait for the answer", async () => {
      const connection = await openRawConnection(url);
      const update = { update: "things", updates: [{ q: { _id: 1 }, u: { $set: { n: -1 } } }] };
      const lost = connection.send({ ...update, ...transaction(randomBytes(16), 1), startTransaction: true });
      connection.destroy();
      await expect(lost).rejects.toThrow("closed");
      await things.updateOne({ _id: 1 }, { $inc: { n: 1 } });
      expect(await things.find().toArray()).toEqual([{ _id: 1, n: 11 }]);
    });

    it("tells a transaction whose engine connection is lost that it is over", async () => {
      const engine = new Client({ connectionString: behind?.engineUrl });
      await engine.connect();
      for (const last of ["insert", "commit"] as const) {
        const session = client.startSession();
        session.startTransaction();
        await things.updateOne({ _id: 1 }, { $set: { n: 77 } }, { session });
        const { rowCount } = await engine.query(
          `SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = $1`,
          [new URL(url).host],
        );
        expect(rowCount).toBeGreaterThan(0);
        const error = await failure(
          last === "insert" ? things.insertOne({ _id: 2 }, { session }) : session.commitTransaction(),
        );
        expect(error.hasErrorLabel(TRANSIENT)).toBe(true);
        expect(error).toMatchObject({ code: 251 });
        if (last === "insert") await session.abortTransaction();
        await session.endSession();
      }
      await engine.end();
      expect(await things.find().toArray()).toEqual([{ _id: 1, n: 10 }]);
    });
  });
});
