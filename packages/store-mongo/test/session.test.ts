import type { ClientSession } from "mongodb";
import { MongoError } from "mongodb";
import { describe, expect, it, onTestFinished } from "vitest";
import { describeWithServer } from "@tidemark/test-support/servers";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { DATABASE, key, openClient, openStore } from "./open-store.ts";

await describeWithTransactions(({ url }) => {
  describe("a commit in a caller's session", () => {
    it("is refused with a TypeError, and nothing is written, where the session is not what it must be", async () => {
      const { store, client } = await openStore(url);
      await store.claim([{ key, token: "t", owner: "o" }]);
      const other = openClient(url);
      const sessions: [unknown, string][] = [
        [{}, "must be a ClientSession"],
        ["session", "must be a ClientSession"],
        [client.startSession(), "no transaction open"],
        [await ended(client.startSession()), "has ended"],
        [started(other.startSession()), "another MongoClient"],
      ];
      for (const [session, message] of sessions) {
        const commit = store.commit([{ key, token: "t", nextOffset: 1n }], { transaction: session as ClientSession });
        await expect(commit).rejects.toThrow(TypeError);
        await expect(commit).rejects.toThrow(message);
      }
      expect(await store.fetch([key])).toMatchObject([{ record: { owner: "o" } }]);
      expect((await store.fetch([key]))[0]).not.toHaveProperty("record.nextOffset");
    });

    it("rolls the caller's own writes back with it when it is refused", async () => {
      const { store, client, namespace } = await openStore(url);
      await store.claim([{ key, token: "t", owner: "o" }]);
      const sink = client.db(DATABASE).collection<{ _id: string }>("sink");
      await sink.insertOne({ _id: `${namespace} before` });
      onTestFinished(async () => void (await sink.deleteMany({ _id: { $regex: `^${namespace}` } })));
      const work = client.withSession((session) =>
        session.withTransaction(async () => {
          await sink.insertOne({ _id: namespace }, { session });
          await store.commit([{ key, token: "stale", nextOffset: 1n }], { transaction: session });
        }),
      );
      await expect(work).rejects.toMatchObject({
        code: "CONFLICT",
        refusal: { status: "fenced", reason: "superseded", owner: "o" },
      });
      expect(await sink.findOne({ _id: namespace })).toBeNull();
    });

    it("writes nothing of a batch in which one entry is refused, even if the caller commits", async () => {
      const { store, client } = await openStore(url);
      const [good, bad] = [key, { ...key, partition: 1 }];
      await store.claim([good, bad].map((each) => ({ key: each, token: "t", owner: "o" })));
      await store.commit([{ key: bad, token: "t", nextOffset: 10n }]);
      const session = started(client.startSession());
      const entries = [good, bad].map((each) => ({ key: each, token: "t", nextOffset: 5n }));
      await expect(store.commit(entries, { transaction: session })).rejects.toMatchObject({ keys: [bad] });
      await session.commitTransaction();
      await session.endSession();
      expect((await store.fetch([good]))[0]).not.toHaveProperty("record.nextOffset");
    });

    it("lets the driver's errors through with their labels, so that withTransaction tries again", async () => {
      const { store, client } = await openStore(url);
      await store.claim([{ key, token: "t", owner: "o" }]);
      const errors: unknown[] = [];
      let attempts = 0;
      await client.withSession((session) =>
        session.withTransaction(async () => {
          attempts += 1;
          const first = attempts === 1;
          // The transaction's view is older than what another writer then does.
          await client.db(DATABASE).collection("offsets").findOne({}, { session });
          if (first) await store.commit([{ key, token: "t", nextOffset: 1n }]);
          const commit = store.commit([{ key, token: "t", nextOffset: 2n }], { transaction: session });
          await commit.catch((error: unknown) => {
            errors.push(error);
            throw error;
          });
        }),
      );
      expect(attempts).toBe(2);
      expect(errors).toHaveLength(1);
      expect(errors[0]).toBeInstanceOf(MongoError);
      expect((errors[0] as MongoError).hasErrorLabel("TransientTransactionError")).toBe(true);
      expect(await store.fetch([key])).toMatchObject([{ record: { nextOffset: 2n } }]);
    });

    it("lets the error through of a record that another has made since the transaction began, and ends with it", async () => {
      const { store, client } = await openStore(url);
      const made = { ...key, partition: 1 };
      await store.claim([{ key, token: "t", owner: "o" }]);
      const session = started(client.startSession());
      await client.db(DATABASE).collection("offsets").findOne({}, { session });
      await store.claim([{ key: made, token: "u", owner: "the newer one" }]);
      const commits = [key, made].map((each) => ({ key: each, token: "t", nextOffset: 1n, recreate: true }));
      await expect(store.commit(commits, { transaction: session })).rejects.toBeInstanceOf(MongoError);
      // MongoDB has aborted it by itself.
      await session.commitTransaction().catch(() => undefined);
      expect(await store.fetch([key, made])).toMatchObject([
        { record: { owner: "o" } },
        { record: { owner: "the newer one" } },
      ]);
      expect((await store.fetch([key]))[0]).not.toHaveProperty("record.nextOffset");
    });
  });
});

await describeWithServer("mongo", ({ url }) => {
  it("a server without transactions refuses before anything is written", async () => {
    const { store, client } = await openStore(url);
    await store.claim([{ key, token: "t", owner: "o" }]);
    const session = started(client.startSession());
    const commit = store.commit([{ key, token: "t", nextOffset: 1n }], { transaction: session });
    // On a replica set it is carried out, and seen by nobody as long as the transaction is open.
    const outcome: unknown = await commit.catch((error: unknown) => error);
    expect(outcome).toMatchObject(
      store.capabilities.transactions ? [{ status: "committed" }] : { code: "UNSUPPORTED" },
    );
    expect((await store.fetch([key]))[0]).not.toHaveProperty("record.nextOffset");
  });
});

function started(session: ClientSession): ClientSession {
  session.startTransaction();
  onTestFinished(() => session.endSession());
  return session;
}

async function ended(session: ClientSession): Promise<ClientSession> {
  await session.endSession();
  return session;
}
