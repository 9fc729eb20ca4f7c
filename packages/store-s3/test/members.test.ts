import { expect, it, vi } from "vitest";
import { describeWithServer } from "@tidemark/test-support/servers";
import { claim, placeOn } from "./support/open-store.ts";
import { once } from "./support/s3-proxy.ts";
import { change, driverOn, never, newVersion, readOne } from "./support/s3-driver.ts";
import { temporaryClient } from "./support/s3-servers.ts";

const topic = { consumer: "c1", topic: "orders" };
const member = { ...topic, member: "worker-1" };
const FOLDER = "tidemark/c1/orders";

await describeWithServer("minio", ({ s3 }) => {
  it("a heartbeat is one PUT without a condition, and leaving a DELETE", async () => {
    const place = await placeOn(s3);
    const client = temporaryClient(place.access);
    const driver = driverOn(client, place.bucket);
    const conditions: unknown[] = [];
    place.proxy.intercept = ({ headers }) => {
      conditions.push(headers["if-match"] ?? headers["if-none-match"]);
      return undefined;
    };
    const path = `/${place.bucket}/${FOLDER}/members/worker-1`;
    for (const value of ['{"v":1,"beat":1}', '{"v":1,"beat":2}']) {
      const beat = change(member, { value, reclaimAfter: 600_000 });
      expect(await driver.write([beat], { signal: never() })).toMatchObject({ changes: undefined });
      expect(await readOne(driver, member)).toMatchObject({ version: beat.version, value });
      expect(place.proxy.requests.splice(0)).toEqual([`PUT ${path}`, `GET ${path}`]);
    }
    await driver.write([change(member, { value: undefined })], { signal: never() });
    expect(place.proxy.requests.splice(0)).toEqual([`DELETE ${path}`]);
    expect(conditions.every((condition) => condition === undefined)).toBe(true);
    expect(await readOne(driver, member)).toBeUndefined();
  });

  it("a lost answer to a heartbeat is an error, and is not sent again", async () => {
    const place = await placeOn(s3);
    const driver = driverOn(temporaryClient(place.access), place.bucket);
    place.proxy.intercept = once(({ method }) => method === "PUT", { kind: "lose-answer" });
    const beat = driver.write([change(member)], { signal: never() });
    const error: unknown = await beat.catch((thrown: unknown) => thrown);
    expect(driver.classify(error)).toMatchObject({ code: "UNAVAILABLE", retryable: true });
    expect(place.proxy.requests).toHaveLength(1);
  });

  it("a group is made once, and one that others may write goes by its version", async () => {
    const place = await placeOn(s3);
    const [one, other] = [place.access, place.direct].map((at) => driverOn(temporaryClient(at), place.bucket));
    if (one === undefined || other === undefined) return;
    const group = { ...topic, member: "" };
    const first = change(group, { expected: [null], value: '{"v":1,"partitions":4}' });
    expect((await one.write([first], { signal: never() })).changes).toBeUndefined();
    const second = change(group, { expected: [null] });
    expect((await other.write([second], { signal: never() })).changes).toEqual(["conflict"]);
    const next = change(group, { expected: [first.version] });
    expect((await other.write([next], { signal: never() })).changes).toBeUndefined();
    const gone = change(group, { expected: [first.version], value: undefined });
    expect((await one.write([gone], { signal: never() })).changes).toEqual(["conflict"]);
    await one.write([{ ...gone, expected: [next.version], version: newVersion() }], { signal: never() });
    expect(await readOne(other, group)).toBeUndefined();
  });

  it("a member that was silent for long goes when members are listed, one that lives and the group do not", async () => {
    const place = await placeOn(s3);
    const driver = driverOn(temporaryClient(place.direct), place.bucket);
    const group = { ...topic, member: "" };
    const dead = { ...topic, member: "worker-2" };
    await driver.write([change(member, { reclaimAfter: 3_600_000 })], { signal: never() });
    await driver.write([change(group)], { signal: never() });
    await driver.write([change(dead, { reclaimAfter: 1 })], { signal: never() });
    await vi.waitUntil(
      async () => {
        await Array.fromAsync(driver.list({ kind: "member" }, { signal: never() }));
        return (await readOne(driver, dead)) === undefined;
      },
      { timeout: 10_000, interval: 50 },
    );
    expect(await readOne(driver, member)).toBeDefined();
    expect(await readOne(driver, group)).toBeDefined();
  });

  it("a listing outlives a server that does not delete what it finds to be over", async () => {
    const place = await placeOn(s3);
    const driver = driverOn(temporaryClient(place.access), place.bucket);
    const dead = { ...topic, member: "worker-2" };
    await driver.write([change(member, { reclaimAfter: 3_600_000 })], { signal: never() });
    await driver.write([change(dead, { reclaimAfter: 1 })], { signal: never() });
    const { intercept } = place.proxy;
    place.proxy.intercept = ({ method }) =>
      method === "DELETE" ? { kind: "refuse", status: 503, code: "SlowDown" } : undefined;
    const wasRefused = (): boolean => place.proxy.requests.some((request) => request.startsWith("DELETE "));
    await vi.waitUntil(
      async () => {
        await Array.fromAsync(driver.list({ kind: "member" }, { signal: never() }));
        return wasRefused();
      },
      { timeout: 10_000, interval: 50 },
    );
    place.proxy.intercept = intercept;
  });

  it("members are deleted with their consumer, and leave no object", async () => {
    const place = await placeOn(s3);
    const driver = driverOn(temporaryClient(place.direct), place.bucket);
    const store = await place.open();
    await claim(store);
    const members = ["", "worker-1", "worker-2", "x".repeat(200)].map((name) => ({ ...topic, member: name }));
    for (const each of members) await driver.write([change(each)], { signal: never() });
    const listed = async () => {
      const pages = await Array.fromAsync(driver.list({ kind: "member", ...topic }, { signal: never() }));
      return pages.flatMap(({ entries }) => entries.map(({ key }) => key));
    };
    expect(await listed()).toHaveLength(members.length);
    expect(await listed()).toEqual(expect.arrayContaining(members));
    expect(await Array.fromAsync(store.list())).toHaveLength(1);
    expect(await store.delete(topic)).toEqual([{ ...topic, partition: 0 }]);
    expect(await listed()).toEqual([]);
    expect(place.proxy.requests.filter((request) => request.startsWith("DELETE ")).length).toBeGreaterThanOrEqual(4);
  });
});
