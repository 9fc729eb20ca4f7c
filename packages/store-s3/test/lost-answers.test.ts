import { describe, expect, it } from "vitest";
import { describeWithServer } from "@tidemark/test-support/servers";
import { claim, fetched, key, placeOn } from "./support/open-store.ts";
import { type Fault, isWrite, once, type ProxiedRequest } from "./support/s3-proxy.ts";
import { temporaryClient } from "./support/s3-servers.ts";

const COMMITTED = [{ status: "committed" }];

/** What may hide that a write was carried out. */
const HIDDEN: readonly (readonly [string, Fault])[] = [
  ["a connection that breaks before the answer", { kind: "lose-answer" }],
  ["a 500 after the write", { kind: "misreport", status: 500, code: "InternalError" }],
  ["a 503 after the write", { kind: "misreport", status: 503, code: "SlowDown" }],
];

/** What hides that nothing was carried out. */
const REFUSED: readonly (readonly [string, Fault])[] = [
  ["a 409", { kind: "refuse", status: 409, code: "ConditionalRequestConflict" }],
  ["a 500 before the write", { kind: "refuse", status: 500, code: "InternalError" }],
  ["a 503", { kind: "refuse", status: 503, code: "SlowDown" }],
  ["a 412 that nobody else's write explains", { kind: "refuse", status: 412, code: "PreconditionFailed" }],
];

await describeWithServer("minio", ({ s3 }) => {
  describe.each([...HIDDEN, ...REFUSED])("%s", (_, fault) => {
    it.each([1, 3])("is no answer to a commit; the client sends each request up to %i times", async (maxAttempts) => {
      const place = await placeOn(s3);
      const client = temporaryClient(place.access, { maxAttempts });
      const store = await place.open({ client });
      const token = await claim(store);
      for (const [round, entry] of [
        { nextOffset: 5n },
        { nextOffset: 6n, metadata: "m" },
        {},
        { nextOffset: 2n, rewind: true as const },
      ].entries()) {
        place.proxy.intercept = once(isWrite, fault);
        expect(await store.commit([{ key, token, ...entry }]), `round ${round}`).toMatchObject(COMMITTED);
      }
      expect(await fetched(store)).toMatchObject({ nextOffset: 2n });
    });

    it("is no answer to a claim, a reset, an expire or a delete", async () => {
      const place = await placeOn(s3);
      const store = await place.open();
      place.proxy.intercept = once(isWrite, fault);
      expect(await store.claim([{ key, token: "t", owner: "o" }])).toMatchObject([
        { status: "claimed", record: undefined },
      ]);
      place.proxy.intercept = once(isWrite, fault);
      expect(await store.reset([{ key, nextOffset: 3n }])).toEqual([{ status: "reset" }]);
      place.proxy.intercept = once(isWrite, fault);
      expect(await store.expire([{ key, ttl: 60_000 }])).toEqual([{ status: "set" }]);
      expect(await fetched(store)).toMatchObject({ nextOffset: 3n, ttl: 60_000 });
      place.proxy.intercept = once(isWrite, fault);
      // What was removed is told, although the answer was lost.
      expect(await store.delete({ keys: [key] })).toEqual([key]);
      expect(await fetched(store)).toBeUndefined();
    });
  });

  it.each([undefined, 60_000])(
    "a reset whose answer was lost is not repeated where somebody has claimed since (ttl %s)",
    async (ttl) => {
      const place = await placeOn(s3);
      const store = await place.open();
      const other = await place.openDirect();
      await claim(store, key, ttl);
      let next: Promise<string> | undefined;
      let isWritten = false;
      place.proxy.intercept = (request) => {
        if (request.method === "GET" && isWritten && next === undefined) {
          next = claim(other);
          return { kind: "hold", until: next };
        }
        if (!isWrite(request) || next !== undefined) return undefined;
        isWritten = true;
        return { kind: "lose-answer" };
      };
      expect(await store.reset([{ key, nextOffset: 7n }])).toMatchObject([
        { status: "failed", error: { code: "UNAVAILABLE", retryable: true } },
      ]);
      expect(await other.commit([{ key, token: (await next) ?? "", nextOffset: 8n }])).toMatchObject(COMMITTED);
    },
  );

  it("an error of the server's after which another's write is found is a lost race, as Ceph means it", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const other = await place.openDirect();
    const token = await claim(store);
    let writes = 0;
    place.proxy.intercept = (request) => {
      if (!isWrite(request)) return undefined;
      writes += 1;
      if (writes > 6) return undefined;
      // More often than core tries again what failed.
      const next = claim(other, { ...key, partition: writes });
      return { kind: "hold", until: next, andThen: { kind: "misreport", status: 500, code: "UnknownError" } };
    };
    expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual(COMMITTED);
    expect(writes).toBe(7);
  });

  it("a write that arrives late changes nothing any more: neither after a newer one nor after a rewind", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    await store.commit([{ key, token, nextOffset: 100n }]);
    for (const later of [{ nextOffset: 101n }, { nextOffset: 40n, rewind: true as const }]) {
      const late = Promise.withResolvers<void>();
      place.proxy.intercept = once(isWrite, { kind: "hold", until: late.promise });
      place.proxy.requests.length = 0;
      const abort = new AbortController();
      const lost = store.commit([{ key, token, nextOffset: 500n }], { signal: abort.signal });
      await expect.poll(() => place.proxy.requests.at(-1)).toMatch(/^PUT .*offsets\.ndjson$/u);
      abort.abort(new Error("no patience"));
      await expect(lost).rejects.toThrow("no patience");
      expect(await store.commit([{ key, token, ...later }])).toMatchObject(COMMITTED);
      const answered = place.proxy.answered();
      late.resolve();
      // Now the server has the late one, and has answered it.
      await expect.poll(() => place.proxy.answered()).toBe(answered + 1);
      expect(await fetched(store)).toMatchObject({ nextOffset: later.nextOffset });
    }
  });

  it("a claim that arrives late does not bring back what was deleted meanwhile", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const late = Promise.withResolvers<void>();
    place.proxy.intercept = once(isWrite, { kind: "hold", until: late.promise });
    const abort = new AbortController();
    const recreate = { key, token: "old", nextOffset: 5n, recreate: true, owner: "o" };
    const lost = store.commit([recreate], { signal: abort.signal });
    await expect.poll(() => place.proxy.requests.at(-1)).toMatch(/^PUT .*offsets\.ndjson$/u);
    abort.abort(new Error("no patience"));
    await expect(lost).rejects.toThrow("no patience");
    await store.commit([recreate]);
    expect(await store.delete({ consumer: key.consumer })).toEqual([key]);
    const answered = place.proxy.answered();
    late.resolve();
    await expect.poll(() => place.proxy.answered()).toBe(answered + 1);
    expect(await fetched(store)).toBeUndefined();
  });

  it("of several topics that are read together, one without an answer is read again, and one that is denied fails alone", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const keys = ["t1", "t2"].map((topic) => ({ ...key, topic }));
    for (const each of keys) await claim(store, each);
    const isSecond = ({ method, path }: ProxiedRequest): boolean => method === "GET" && path.includes("/t2/");
    place.proxy.intercept = once(isSecond, { kind: "lose-answer" });
    expect(await store.fetch(keys)).toMatchObject([{ status: "found" }, { status: "found" }]);
    place.proxy.intercept = (request) =>
      isSecond(request) ? { kind: "refuse", status: 403, code: "AccessDenied" } : undefined;
    expect(await store.fetch(keys)).toMatchObject([
      { status: "found" },
      { status: "failed", error: { code: "PERMISSION_DENIED", keys: [keys[1]] } },
    ]);
  });

  it("a server that goes on failing is UNAVAILABLE, and nothing is told that is not known", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    place.proxy.intercept = (request) =>
      isWrite(request) ? { kind: "refuse", status: 503, code: "SlowDown" } : undefined;
    const failing = store.commit([{ key, token, nextOffset: 1n }]);
    await expect(failing).rejects.toMatchObject({ code: "UNAVAILABLE", retryable: true });
    place.proxy.intercept = () => undefined;
    expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual(COMMITTED);
  });

  it("a server that never answers is a TIMEOUT, and the next call finds out what became of the write", async () => {
    const place = await placeOn(s3);
    const store = await place.open({ timeout: 5_000 });
    const token = await claim(store);
    const never = Promise.withResolvers<void>();
    place.proxy.intercept = once(isWrite, { kind: "hold", until: never.promise });
    await expect(store.commit([{ key, token, nextOffset: 1n }])).rejects.toMatchObject({ code: "TIMEOUT" });
    expect(await store.commit([{ key, token, nextOffset: 2n }])).toEqual(COMMITTED);
    never.resolve();
  });

  it("an object that is gone is read again, as AWS says it with 404 and Ceph with 412", async () => {
    const place = await placeOn(s3);
    const store = await place.open();
    const token = await claim(store);
    for (const [status, code] of [
      [404, "NoSuchKey"],
      [412, "PreconditionFailed"],
    ] as const) {
      place.proxy.intercept = once(isWrite, { kind: "refuse", status, code });
      expect(await store.commit([{ key, token, nextOffset: 1n }])).toEqual(COMMITTED);
    }
  });
});
