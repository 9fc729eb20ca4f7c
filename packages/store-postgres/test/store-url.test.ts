import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it, onTestFinished } from "vitest";
import { storeUrl } from "../src/index.ts";
import { collect, key, openClient, ownSchema } from "./open-store.ts";

it.each([
  ["postgres://h/db?table=", "given once and must not be empty"],
  ["postgres://h/db?schema=a&schema=b", "given once and must not be empty"],
  ["postgres://u:s3cr3t@h:port/db", "check its options"],
  ["memory:", "url must be a connection string"],
])("refuses %s", async (url, message) => {
  const opening = storeUrl.open(url);
  await expect(opening).rejects.toThrow(TypeError);
  await expect(opening).rejects.toThrow(message);
  await expect(opening).rejects.not.toThrow("s3cr3t");
});

await describeWithServer("postgres", ({ url }) => {
  it.each(["postgres:", "postgresql:"])("opens %s, with schema and table of one's choice", async (scheme) => {
    const schema = await ownSchema(url);
    const events: unknown[] = [];
    const store = await storeUrl.open(
      `${url.replace(/^\w+:/u, scheme)}?schema=${schema}&application_name=a&table=of%20mine`,
      { namespace: "n", timeout: 5_000, onEvent: (event) => events.push(event) },
    );
    onTestFinished(() => store.close());
    await store.claim([{ key, token: "t", owner: "o" }]);
    expect(await collect(store.list())).toMatchObject([key]);
    const client = await openClient(url);
    expect((await client.query(`SELECT FROM ${schema}."of mine"`)).rows).toHaveLength(1);
    expect(store).toMatchObject({ name: "postgres", namespace: "n" });
    expect(events).toEqual([]);
  });

  it("says whether its table exists, and makes none", async () => {
    const schema = await ownSchema(url);
    const place = `${url}?schema=${schema}&table=mine`;
    expect(await storeUrl.exists?.(place)).toBe(false);
    expect(await storeUrl.exists?.(place)).toBe(false);
    await using _ = await storeUrl.open(place);
    expect(await storeUrl.exists?.(place)).toBe(true);
    // Opening says that there is no schema.
    const elsewhere = `${url}?schema=${schema}_not`;
    expect(await storeUrl.exists?.(elsewhere)).toBe(true);
    await expect(storeUrl.open(elsewhere)).rejects.toMatchObject({ name: "OffsetStoreError", operation: "open" });
  });

  it("rejects as opening does where it cannot say whether its table exists", async () => {
    const elsewhere = new URL(url);
    elsewhere.pathname = "/not_there";
    await expect(storeUrl.exists?.(elsewhere.href)).rejects.toMatchObject({ code: "UNAVAILABLE", operation: "open" });
  });
});
