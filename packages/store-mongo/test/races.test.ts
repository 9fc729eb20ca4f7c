import { expect, it } from "vitest";
import { describeWithServer } from "@tidemark/test-support/servers";
import { key, openStore } from "./open-store.ts";

await describeWithServer("mongo", ({ url }) => {
  it("40 first claims at once leave one document and one holder", async () => {
    const { store, documents, namespace } = await openStore(url);
    const tokens = Array.from({ length: 40 }, (_, index) => `t${index}`);
    const claims = await Promise.all(tokens.map((token) => store.claim([{ key, token, owner: token }])));
    expect(claims.flat().every(({ status }) => status === "claimed")).toBe(true);
    // Each found what the one before it left: all but the first found a record, and no two the same.
    const owners = claims.flatMap(([claim]) => (claim?.status === "claimed" ? [claim.record?.owner] : []));
    expect(new Set(owners).size).toBe(40);
    expect(owners.filter((owner) => owner === undefined)).toHaveLength(1);
    expect(await documents.countDocuments({ _id: { $regex: `^${namespace}/` } })).toBe(1);
    const commits = await Promise.all(tokens.map((token) => store.commit([{ key, token, nextOffset: 1n }])));
    expect(commits.flat().filter(({ status }) => status === "committed")).toHaveLength(1);
  });

  it("batches of two clients that overlap are answered key by key, as each key was written", async () => {
    const { store, namespace, client } = await openStore(url);
    const { store: other } = await openStore(url, { client, namespace });
    const keys = Array.from({ length: 50 }, (_, partition) => ({ ...key, partition }));
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    const written = new Map<number, bigint>();
    for (let round = 1n; round <= 20n; round += 1n) {
      const takenOver = keys.filter(({ partition }) => BigInt(partition) % 20n === round % 20n);
      const [outcomes] = await Promise.all([
        store.commit(keys.map((each) => ({ key: each, token: "t", nextOffset: round }))),
        other.claim(takenOver.map((each) => ({ key: each, token: "u", owner: "u" }))),
      ]);
      outcomes.forEach(({ status }, partition) => {
        if (status === "committed") written.set(partition, round);
        else expect(status).toBe("fenced");
      });
    }
    const found = await other.fetch(keys);
    found.forEach((outcome, partition) => {
      expect(outcome.status === "found" && outcome.record.nextOffset, `partition ${partition}`).toBe(
        written.get(partition),
      );
    });
  });

  it("a claim that says that there was nothing holds: a delete at the same time came before it", async () => {
    const { store, namespace, client } = await openStore(url);
    const { store: other } = await openStore(url, { client, namespace });
    const seen = { nothing: 0, record: 0 };
    for (let partition = 0; partition < 60; partition += 1) {
      const each = { ...key, partition };
      await store.claim([{ key: each, token: "t", owner: "o" }]);
      await store.commit([{ key: each, token: "t", nextOffset: 5n }]);
      // Each begins first in half of the rounds.
      const early = partition % 2 === 0 ? undefined : other.delete({ keys: [each] });
      const [[claim]] = await Promise.all([
        store.claim([{ key: each, token: "u", owner: "u" }]),
        early ?? other.delete({ keys: [each] }),
      ]);
      if (claim?.status !== "claimed") throw new Error("the claim was not answered", { cause: claim });
      const [commit] = await store.commit([{ key: each, token: "u", nextOffset: 0n }]);
      // Whoever found the record was before the delete; whoever found none was after it.
      const expected = claim.record ? { status: "fenced", reason: "absent" } : { status: "committed" };
      expect(commit, `partition ${partition}, ${String(claim.record?.nextOffset)}`).toEqual(expected);
      seen[claim.record ? "record" : "nothing"] += 1;
    }
    expect(seen.nothing).toBeGreaterThan(0);
  });

  it("of deletes at once exactly one tells each key", async () => {
    const { store, namespace, client } = await openStore(url);
    const stores = await Promise.all([1, 2, 3, 4].map(async () => (await openStore(url, { client, namespace })).store));
    const keys = Array.from({ length: 200 }, (_, partition) => ({ ...key, partition }));
    await store.claim(keys.map((each) => ({ key: each, token: "t", owner: "o" })));
    const removed = await Promise.all([
      ...stores.map((each) => each.delete({ topic: "orders" })),
      ...stores.map((each) => each.delete({ keys })),
    ]);
    expect(
      removed
        .flat()
        .map(({ partition }) => partition)
        .toSorted((left, right) => left - right),
    ).toEqual(keys.map(({ partition }) => partition));
  });
});
