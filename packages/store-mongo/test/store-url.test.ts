import { expect, it, onTestFinished } from "vitest";
import { describeWithServer } from "@tidemark/test-support/servers";
import { storeUrl } from "../src/index.ts";
import { collect, DATABASE, key, openClient, ownCollection } from "./open-store.ts";

it.each([
  ["mongodb://h/db?collection=", "given once and must not be empty"],
  ["mongodb://h/db?collection=a&collection=b", "given once and must not be empty"],
  ["mongodb://u:s3cr3t@h/db?unknown=1", "check its options"],
  ["memory:", "url must be a connection string"],
])("refuses %s", async (url, message) => {
  const opening = storeUrl.open(url);
  await expect(opening).rejects.toThrow(TypeError);
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.not.toThrow("s3cr3t");
});

await describeWithServer("mongo", ({ url }) => {
  it("opens a connection string, with a collection of one's choice", async () => {
    const client = openClient(url);
    const collection = ownCollection(client);
    const events: unknown[] = [];
    const target = new URL(DATABASE, url);
    target.search = `${new URL(url).search || "?"}&collection=${collection}&retryWrites=true`.replace("?&", "?");
    const store = await storeUrl.open(target.href, {
      namespace: "n",
      timeout: 5_000,
      onEvent: (event) => events.push(event),
    });
    onTestFinished(() => store.close());
    await store.claim([{ key, token: "t", owner: "o" }]);
    expect(await collect(store.list())).toMatchObject([key]);
    expect(await client.db(DATABASE).collection(collection).countDocuments()).toBe(1);
    expect(store).toMatchObject({ name: "mongo", namespace: "n" });
    expect(events).toEqual([]);
  });

  it("says whether its collection exists, and makes none", async () => {
    const collection = ownCollection(openClient(url));
    const target = new URL(DATABASE, url);
    target.search = `${new URL(url).search || "?"}&collection=${collection}`.replace("?&", "?");
    expect(await storeUrl.exists?.(target.href)).toBe(false);
    expect(await storeUrl.exists?.(target.href)).toBe(false);
    await using _ = await storeUrl.open(target.href);
    expect(await storeUrl.exists?.(target.href)).toBe(true);
  });
});
