import { setTimeout as sleep } from "node:timers/promises";
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
      expect(document).toEqual({
        ...{ _id: id, namespace, topic: "orders" },
        ...{ version: expect.stringMatching(/^[\w-]{12}$/), previous: expect.stringMatching(/^[\w-]{12}$/) },
        ...{ value: expect.any(String), writtenAt: expect.any(Date), expiresAt: expect.any(Date) },
      });
      expect(JSON.parse(document?.["value"])).toMatchObject({ nextOffset: "7", metadata: "m", owner: "worker-1" });
      expect(document?.["expiresAt"] - document?.["writtenAt"]).toBe(60_000);
      await store.expire([{ key, ttl: null }]);
      expect(await documents.findOne({ _id: id })).not.toHaveProperty("expiresAt");
    });

    it("carries nothing along of what claims found, in no flush", async () => {
      const { store, documents, id } = await openStore(url);
      for (const name of ["first", "second"]) {
        await store.claim([{ key, token: `${name} token`, owner: name }]);
        await store.commit([{ key, token: `${name} token`, nextOffset: 1n, metadata: `${name} ${"x".repeat(4_000)}` }]);
      }
      await store.commit([{ key, token: "second token", nextOffset: 2n, metadata: "m" }]);
      const text = JSON.stringify(await documents.findOne({ _id: id }));
      expect(text).not.toContain("xxx");
      expect(text).not.toContain("first");
    });

    const VALUE = '{"v":1,"epoch":1,"token":"t"}';
    const damages: readonly [string, Record<string, unknown>][] = [
      ["no version", { version: 5 }],
      ["a value of a later form", { value: VALUE.replace("1", "2") }],
      ["a value that is no text", { value: { v: 1, epoch: 1, token: "t" } }],
      ["a value that is no JSON", { value: "no record" }],
      ["a value without an epoch", { value: '{"v":1}' }],
      ["a number for a position", { value: VALUE.replace("}", ',"nextOffset":5}') }],
      ["text for its time", { writtenAt: "now" }],
      ["no time", { writtenAt: null }],
    ];
    it.each(damages)(
      "with %s is CORRUPT_RECORD, and stays until it is deleted (contract 3.3a, 3.20)",
      async (_, damage) => {
        const { store, documents, id } = await openStore(url);
        await store.claim([{ key, token: "t", owner: "o" }]);
        await documents.updateOne({ _id: id }, { $set: { version: "by hand", ...damage } });
        const before = await documents.findOne({ _id: id });
        const corrupt = [{ status: "failed", error: { code: "CORRUPT_RECORD", retryable: false, keys: [key] } }];
        expect(await store.commit([{ key, token: "t", nextOffset: 9n, recreate: true }])).toMatchObject(corrupt);
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

    it("lists 10,000 records, each once, in pages", async () => {
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

    it("goes away by the server's own sweep, or at least is seen by nobody", async () => {
      const { store, documents, id } = await openStore(url);
      await store.claim([{ key, token: "t", owner: "o", ttl: 1 }]);
      const endsAt = performance.now() + 200_000;
      while ((await documents.findOne({ _id: id })) !== null) {
        expect(await store.fetch([key])).toEqual([{ status: "absent" }]);
        expect(performance.now(), "the TTL index did not remove it").toBeLessThan(endsAt);
        await sleep(250);
      }
    });
  });
});
