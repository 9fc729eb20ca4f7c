import { setTimeout as sleep } from "node:timers/promises";
import { Long } from "mongodb";
import { describe, expect, it } from "vitest";
import { OffsetStoreError } from "@tidemark/core";
import { describeWithServer } from "@tidemark/test-support/servers";
import { collect, key, openStore } from "./open-store.ts";

await describeWithServer("mongo", ({ url }) => {
  describe("what is stored", () => {
    it("is one document a key, to be read by people (contract 3.7d)", async () => {
      const { store, documents, namespace, id } = await openStore(url);
      await store.claim([{ key, token: "t", owner: "worker-1", ttl: 60_000 }]);
      await store.commit([{ key, token: "t", nextOffset: 7n, metadata: "m" }]);
      const document = await documents.findOne({ _id: id });
      expect(document).toMatchObject({
        ...{ ...key, namespace, version: 1, metadata: "m", token: "t", owner: "worker-1" },
        ...{ claimedAt: expect.any(Date), committedAt: expect.any(Date), expiresAt: expect.any(Date) },
      });
      expect(await documents.countDocuments({ _id: id, nextOffset: { $type: "long" } })).toBe(1);
    });

    it("forgets what claims found when it is claimed again a minute later, and keeps no token in it", async () => {
      const { store, documents, id } = await openStore(url);
      await store.claim([{ key, token: "first-token", owner: "o" }]);
      await documents.updateOne({ _id: id }, { $set: { "claims.0.at": new Date(Date.now() - 61_000) } });
      await store.claim([{ key, token: "t2", owner: "o" }]);
      const document = await documents.findOne({ _id: id });
      expect(document?.["claims"]).toHaveLength(1);
      expect(JSON.stringify(document)).not.toContain("first-token");
    });

    const damages: readonly [string, Record<string, unknown>][] = [
      ["a newer version", { version: 2 }],
      ["no version", { version: "1" }],
      ["a double for a position", { nextOffset: 1.5 }],
      ["NaN for a position", { nextOffset: Number.NaN }],
      ["an int32 for a position", { nextOffset: 5 }],
      ["text for a position", { nextOffset: "5" }],
      ["a negative position", { nextOffset: Long.fromNumber(-5) }],
      ["a ttl of nothing", { ttl: Long.ZERO }],
      ["a number for metadata", { metadata: 5 }],
      ["text for a date", { expiresAt: "soon" }],
      ["another key", { topic: "others" }],
    ];
    it.each(damages)(
      "with %s is CORRUPT_RECORD, and stays until it is deleted (contract 3.3a, 3.20)",
      async (_, damage) => {
        const { store, documents, id } = await openStore(url);
        await store.claim([{ key, token: "t", owner: "o" }]);
        await documents.updateOne({ _id: id }, { $set: damage });
        const before = await documents.findOne({ _id: id });
        const corrupt = [{ status: "failed", error: { code: "CORRUPT_RECORD", retryable: false, keys: [key] } }];
        expect(await store.fetch([key])).toMatchObject(corrupt);
        const claims = [key, { ...key, topic: "sound" }].map((each) => ({ key: each, token: "t2", owner: "o" }));
        expect(await store.claim(claims)).toMatchObject([...corrupt, { status: "claimed" }]);
        expect(await store.delete({ topic: "sound" })).toHaveLength(1);
        expect(await store.reset([{ key, nextOffset: 1n }])).toMatchObject(corrupt);
        expect(await store.expire([{ key, ttl: 60_000 }])).toMatchObject(corrupt);
        const listing = collect(store.list());
        await expect(listing).rejects.toMatchObject({ code: "CORRUPT_RECORD", keys: [key] });
        expect(await documents.findOne({ _id: id })).toEqual(before);
        expect(await store.delete({ keys: [key] })).toEqual([key]);
        expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
      },
    );

    // What a commit does not go by costs it nothing to look at: it passes over that, and no other verb does (decision 19).
    const passedOver = ["a number for metadata", "another key"];
    const noticed = damages.filter(([what]) => !passedOver.includes(what));
    it.each(noticed)("with %s is not overwritten by a commit (contract 3.3a)", async (_, damage) => {
      const { store, documents, id } = await openStore(url);
      await store.claim([{ key, token: "t", owner: "o" }]);
      await documents.updateOne({ _id: id }, { $set: damage });
      const before = await documents.findOne({ _id: id });
      const corrupt = [{ status: "failed", error: { code: "CORRUPT_RECORD" } }];
      expect(await store.commit([{ key, token: "t", nextOffset: 9n, recreate: true }])).toMatchObject(corrupt);
      expect(await store.commit([{ key, token: "t" }])).toMatchObject(corrupt);
      expect(await documents.findOne({ _id: id })).toEqual(before);
    });

    it("by others in the same collection does no harm: under our id it is named, elsewhere passed over", async () => {
      const { store, documents, namespace, id } = await openStore(url);
      await documents.insertMany([
        { _id: id, invoice: 5 },
        { _id: `${namespace}/not-a-record`, invoice: 6 },
        { _id: `${namespace}/c1/orders/007`, invoice: 7 },
      ]);
      await store.claim([{ key: { ...key, partition: 1 }, token: "t", owner: "o" }]);
      const error: unknown = await collect(store.list()).catch((reason: unknown) => reason);
      expect(error).toBeInstanceOf(OffsetStoreError);
      expect(error).toMatchObject({ code: "CORRUPT_RECORD", keys: [key] });
      expect(await store.claim([{ key, token: "t", owner: "o" }])).toMatchObject([{ status: "failed" }]);
      await store.delete({ consumer: "c1" });
      expect(
        (await documents.find({ _id: { $regex: `^${namespace}/` } }).toArray()).map(({ _id }) => _id).toSorted(),
      ).toEqual([`${namespace}/c1/orders/007`, `${namespace}/not-a-record`]);
    });

    it("lists 10,000 records, each once, in pages", { timeout: 60_000 }, async () => {
      const { store } = await openStore(url, { timeout: 60_000 });
      const keys = Array.from({ length: 10_000 }, (_, index) => ({
        consumer: `c${index % 7}`,
        topic: `t${index % 3}`,
        partition: index,
      }));
      const resets = await store.reset(keys.map((each) => ({ key: each, nextOffset: BigInt(each.partition) })));
      expect(resets.every(({ status }) => status === "reset")).toBe(true);
      const records = await collect(store.list());
      expect(new Set(records.map(({ partition }) => partition)).size).toBe(10_000);
      expect(records).toHaveLength(10_000);
      const ofTopic = await collect(store.list({ topic: "t1" }));
      expect(ofTopic).toHaveLength(keys.filter(({ topic }) => topic === "t1").length);
      expect(await store.delete({ topic: "t1" })).toHaveLength(ofTopic.length);
    });

    it("goes away by the server's own sweep, or at least is seen by nobody", { timeout: 100_000 }, async () => {
      const { store, documents, id } = await openStore(url);
      await store.claim([{ key, token: "t", owner: "o", ttl: 1 }]);
      const endsAt = performance.now() + 75_000;
      while ((await documents.findOne({ _id: id })) !== null) {
        expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
        expect(performance.now(), "the TTL index did not remove it").toBeLessThan(endsAt);
        await sleep(250);
      }
    });
  });
});
