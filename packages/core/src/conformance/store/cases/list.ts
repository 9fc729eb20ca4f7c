import { assert } from "../../assert.ts";
import type { OffsetKey } from "../../../key.ts";
import type { OffsetFilter } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { type AnyStore, claim, committed, found, identities, keyOf, listed, newToken, worksOn } from "../outcomes.ts";

/** Everything that is stored, exactly once. */
export const listCases: readonly ConformanceCase[] = [
  {
    id: "list/exact-filters",
    clause: "3.12a",
    title: "list gives the records that match every field of the filter exactly; an empty filter is all of them",
    run: async ({ store }) => {
      const keys = ["c1", "c10", "c"].flatMap((consumer) =>
        ["t1", "t10", "t"].flatMap((topic) => [0, 1, 10].map((partition) => ({ consumer, topic, partition }))),
      );
      await fill(store, keys);
      const filters: OffsetFilter[] = [
        {},
        ...["c1", "c", "c10", "C1", "x", "c_", "_1", "%"].map((consumer) => ({ consumer })),
        ...["t1", "t", "t10", "*", "T1", "t_", "_1", "%", "t.", "^t1$"].map((topic) => ({ topic })),
        ...[0, 1, 10, 2].map((partition) => ({ partition })),
        { consumer: "c1", topic: "t1" },
        { consumer: "c", partition: 1 },
        { topic: "t", partition: 10 },
        { consumer: "c10", topic: "t10", partition: 10 },
        { consumer: "c1", topic: "x" },
      ];
      for (const filter of filters) {
        const expected = keys.filter((key) =>
          Object.entries(filter).every(([field, value]) => key[field as keyof OffsetKey] === value),
        );
        assert.deepEqual(identities(await listed(store, filter)), identities(expected), JSON.stringify(filter));
      }
      assert.deepEqual(identities(await listed(store)), identities(keys));
    },
  },
  {
    id: "list/unknown-field",
    clause: "3.12a",
    title: "an unknown field of a filter is a TypeError: a misspelt one must not match everything",
    run: async ({ store }) => {
      await claim(store, keyOf(), newToken());
      const filter = { consumr: "c1" } as OffsetFilter;
      await assert.rejects(async () => void (await listed(store, filter)), TypeError);
      await assert.rejects(store.delete(filter), TypeError);
      await found(store, keyOf());
    },
  },
  {
    id: "list/many",
    clause: "3.12b",
    title:
      "2,500 records, more than any page, are listed exactly once each, whole and filtered, and fetched in one call",
    run: async ({ store }) => {
      const keys = manyKeys(2_500);
      await fill(store, keys);
      assert.deepEqual(identities(await listed(store)), identities(keys));
      const fetched = await store.fetch(keys);
      assert.equal(fetched.length, keys.length);
      const missing = fetched.findIndex(({ status }) => status !== "found");
      assert.equal(missing, -1, `key ${missing} of ${keys.length} fetched in one call was not found`);
      const ofTopic = keys.filter(({ topic }) => topic === "t3");
      assert.deepEqual(identities(await listed(store, { topic: "t3" })), identities(ofTopic));
      const removed = await store.delete({ topic: "t3" });
      assert.deepEqual(identities(removed), identities(ofTopic));
      assert.equal((await listed(store)).length, keys.length - ofTopic.length);
    },
  },
  {
    id: "list/while-others-write",
    clause: "3.12b",
    title: "a record that is there throughout appears exactly once while others are written, deleted and renewed",
    run: async (context) => {
      const { store } = context;
      const { store: other } = await context.openAnother();
      const stay = manyKeys(1_500);
      // Before the others in any order: a listing that pages by row number would skip some when these go.
      const go = manyKeys(300, "a");
      await fill(store, [...go, ...stay]);
      const token = newToken();
      const seen: OffsetKey[] = [];
      let step = 0;
      for await (const record of store.list()) {
        seen.push(record);
        if (seen.length % 300 !== 0) continue;
        const going = go.slice(step * 50, step * 50 + 50);
        step += 1;
        await other.delete({ keys: going });
        await other.claim(manyKeys(20, `new${step}`).map((key) => ({ key, token, owner: "new" })));
        await other.claim(stay.slice(-50).map((key) => ({ key, token, owner: "taken over" })));
        await other.reset(stay.slice(0, 50).map((key) => ({ key, nextOffset: 1n })));
      }
      const stayed = seen.filter(({ consumer }) => consumer.startsWith("c"));
      assert.deepEqual(identities(stayed), identities(stay));
      assert.equal(new Set(identities(seen)).size, seen.length, "a record was listed twice");
    },
  },
  {
    id: "list/left-early",
    clause: "3.12b",
    title: "a listing can be left early, as often as one likes, twice iterated, and holds up no other call or listing",
    run: async ({ store }) => {
      const keys = manyKeys(250);
      const token = await fill(store, keys);
      const [own = keyOf()] = keys;
      // More often than a client has connections.
      for (let pass = 0n; pass < 25n; pass += 1n) {
        await worksOn(`after ${pass} listings were left early, and in the middle of another,`, async () => {
          for await (const record of store.list()) {
            assert.ok(record);
            if (pass % 8n === 0n) await committed(store, own, token, pass);
            break;
          }
        });
      }
      const listing = store.list({ consumer: "c0" });
      const expected = identities(keys.filter(({ consumer }) => consumer === "c0"));
      for (let pass = 0; pass < 2; pass += 1) {
        const records: OffsetKey[] = [];
        for await (const record of listing) records.push(record);
        assert.deepEqual(identities(records), expected);
      }
      const all = await Promise.all([listed(store), listed(store), listed(store)]);
      for (const records of all) assert.deepEqual(identities(records), identities(keys));
    },
  },
];

function manyKeys(count: number, prefix = "c"): OffsetKey[] {
  return Array.from({ length: count }, (_, index) => ({
    consumer: `${prefix}${index % 3}`,
    topic: `t${Math.floor(index / 3) % 5}`,
    partition: Math.floor(index / 15),
  }));
}

/** Claims all keys under one token, and gives it. */
async function fill(store: AnyStore, keys: readonly OffsetKey[]): Promise<string> {
  const token = newToken();
  const outcomes = await store.claim(keys.map((key) => ({ key, token, owner: "o" })));
  assert.ok(outcomes.every(({ status }) => status === "claimed"));
  return token;
}
