import { assert } from "../../assert.ts";
import type { OffsetKey } from "../../../key.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { JOINED, ODD_NAMES } from "../odd-names.ts";
import { type AnyStore, fetched, identities, keyOf, listed, newToken } from "../outcomes.ts";

/** Any string is a name. */
export const namesCases: readonly ConformanceCase[] = [
  {
    id: "names/odd-topics",
    clause: "3.7a",
    title: "any string of 1 to 255 UTF-8 bytes is a topic: all are kept apart and come back as they were",
    run: ({ store }) =>
      keepApart(
        store,
        ODD_NAMES.map((topic) => keyOf({ topic })),
      ),
  },
  {
    id: "names/odd-consumers",
    clause: "3.7a",
    title: "any string of 1 to 255 UTF-8 bytes is a consumer: all are kept apart and come back as they were",
    run: ({ store }) =>
      keepApart(
        store,
        ODD_NAMES.map((consumer) => keyOf({ consumer })),
      ),
  },
  {
    id: "names/no-collision-when-joined",
    clause: "3.7b",
    title:
      'consumer "a:b" with topic "c" and consumer "a" with topic "b:c" are two keys, no matter how names are joined',
    run: ({ store }) => keepApart(store, JOINED),
  },
  {
    id: "names/partitions",
    clause: "3.7b",
    title: "partitions 0 to 2^31 - 1 are kept apart: 1, 10 and 11 too",
    run: ({ store }) =>
      keepApart(
        store,
        [0, 1, 10, 11, 100, 101, 255, 256, 65_536, 2 ** 31 - 1].map((partition) => keyOf({ partition })),
      ),
  },
  {
    id: "names/owners",
    clause: "3.7a",
    title: "owners and tokens are any string too",
    run: async ({ store }) => {
      const entries = ODD_NAMES.map((name, partition) => ({ key: keyOf({ partition }), token: name, owner: name }));
      const claimed = await store.claim(entries);
      assert.deepEqual(new Set(claimed.map(({ status }) => status)), new Set(["claimed"]));
      const commits = await store.commit(entries.map(({ key, token }) => ({ key, token, nextOffset: 1n })));
      assert.deepEqual(new Set(commits.map(({ status }) => status)), new Set(["committed"]));
      const owners = (await store.fetch(entries.map(({ key }) => key))).map((outcome) =>
        outcome.status === "found" ? outcome.record.owner : outcome.status,
      );
      assert.deepEqual(owners, ODD_NAMES);
    },
  },
  {
    id: "names/delete-leaves-the-others",
    clause: "3.7b",
    title: "deleting one name leaves every other: topic1 and topic10, a prefix, a pattern, another case",
    run: async ({ store }) => {
      const names = [
        "topic1",
        "topic10",
        "topic",
        "Topic1",
        "topic1:",
        "topic1/",
        "topic?",
        "topic*",
        "*",
        "%",
        "topic_",
        ".",
      ];
      const keys = names.flatMap((topic) => [keyOf({ topic }), keyOf({ topic, consumer: topic })]);
      const token = newToken();
      let left = keys;
      await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
      for (const topic of ["*", "%", "topic?", "topic_", "topic1", "topic", ".", "topic*"]) {
        const expected = left.filter((key) => key.topic === topic);
        const removed = await store.delete({ topic });
        assert.deepEqual(identities(removed), identities(expected), `delete({ topic: ${JSON.stringify(topic)} })`);
        left = left.filter((key) => key.topic !== topic);
        assert.deepEqual(identities(await listed(store)), identities(left));
      }
      for (const consumer of ["topic10", "c1"]) {
        const expected = left.filter((key) => key.consumer === consumer);
        assert.deepEqual(identities(await store.delete({ consumer })), identities(expected));
        left = left.filter((key) => key.consumer !== consumer);
      }
      assert.deepEqual(identities(await listed(store)), identities(left));
    },
  },
  {
    id: "names/refused",
    clause: "3.7c",
    title: "an empty name, one of 256 bytes, one with an unpaired surrogate, or no string is a TypeError of every verb",
    run: async ({ store }) => {
      const token = newToken();
      const good = keyOf({ partition: 9 });
      const bad = ["", "x".repeat(256), "é".repeat(128), "\ud800", "a\udc00b", 7 as unknown as string];
      for (const name of bad) {
        for (const key of [keyOf({ consumer: name }), keyOf({ topic: name })]) {
          const keys = [good, key];
          await assert.rejects(store.claim(keys.map((each) => ({ key: each, token, owner: "o" }))), TypeError);
          const commits = keys.map((each) => ({ key: each, token, owner: "o", nextOffset: 1n, recreate: true }));
          await assert.rejects(store.commit(commits), TypeError);
          await assert.rejects(store.fetch(keys), TypeError);
          await assert.rejects(store.reset(keys.map((each) => ({ key: each, nextOffset: 1n }))), TypeError);
          await assert.rejects(store.expire([{ key, ttl: null }]), TypeError);
          await assert.rejects(store.delete({ keys: [key] }), TypeError);
        }
        await assert.rejects(store.delete({ consumer: name }), TypeError);
        await assert.rejects(store.delete({ topic: name }), TypeError);
        await assert.rejects(async () => void (await listed(store, { topic: name })), TypeError);
        await assert.rejects(store.claim([{ key: good, token: name, owner: "o" }]), TypeError);
      }
      for (const partition of [-1, 0.5, Number.NaN, 2 ** 31]) {
        await assert.rejects(store.fetch([keyOf({ partition })]), RangeError);
      }
      assert.deepEqual(await listed(store), [], "a refused call has written");
    },
  },
];

async function keepApart(store: AnyStore, keys: readonly OffsetKey[]): Promise<void> {
  assert.equal(new Set(identities(keys)).size, keys.length, "the kit's own names are distinct");
  const tokens = keys.map(newToken);
  const token = (index: number): string => tokens[index] ?? "";
  await store.claim(keys.map((key, index) => ({ key, token: token(index), owner: "o" })));
  const outcomes = await store.commit(
    keys.map((key, index) => ({ key, token: token(index), nextOffset: BigInt(index), metadata: `m${index}` })),
  );
  assert.deepEqual(
    outcomes.flatMap(({ status }, index) => (status === "committed" ? [] : [[keys[index], outcomes[index]]])),
    [],
    "names met: these commits were refused",
  );
  for (const [index, answer] of (await store.fetch(keys)).entries()) {
    assert.ok(answer.status === "found", `${JSON.stringify(keys[index])} is ${answer.status}`);
    const { consumer, topic, partition, nextOffset, metadata } = answer.record;
    assert.deepEqual({ consumer, topic, partition }, keys[index]);
    assert.deepEqual({ nextOffset, metadata }, { nextOffset: BigInt(index), metadata: `m${index}` });
  }
  assert.deepEqual(identities(await listed(store)), identities(keys));
  const [first, ...others] = keys;
  assert.ok(first);
  assert.deepEqual(await store.delete({ keys: [first] }), [first]);
  assert.equal(await fetched(store, first), undefined);
  assert.deepEqual(identities(await listed(store)), identities(others));
  for (const [index, { consumer, topic }] of others.entries()) {
    if (index % 4 !== 0) continue;
    const same = others.filter((key) => key.consumer === consumer && key.topic === topic);
    assert.deepEqual(identities(await listed(store, { consumer, topic })), identities(same));
  }
}
