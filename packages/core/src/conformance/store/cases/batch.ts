import { assert } from "../../assert.ts";
import { formatKey, type OffsetKey } from "../../../key.ts";
import type { OffsetRecord } from "../../../offset-record.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { commit, committed, found, keyOf, newToken } from "../outcomes.ts";

const HOUR_MS = 3_600_000;

/** Each entry of a batch is a call of its own. */
export const batchCases: readonly ConformanceCase[] = [
  {
    id: "batch/answers-in-order",
    clause: "3.1e",
    title: "each entry gets its own answer in any order of keys: inserted, sorted, backwards or mixed",
    run: async ({ store }) => {
      // Inserted in none of the orders in which a backend may keep them: of names, of partitions, of a hash.
      const inserted = Array.from({ length: 12 }, (_, index) =>
        keyOf({ consumer: `c${(index * 5) % 3}`, topic: `t${(index * 7) % 4}`, partition: (index * 5) % 12 }),
      );
      const ownerOf = (key: OffsetKey): string => `owner of ${formatKey(key)}`;
      const token = newToken();
      // A quarter is missing, a quarter is another's, a quarter ahead; the rest can be committed.
      const kindOf = new Map(inserted.map((key, index) => [key, index % 4]));
      const there = inserted.filter((key) => kindOf.get(key) !== 0);
      const missing = inserted.filter((key) => kindOf.get(key) === 0);
      await store.claim(there.map((key) => ({ key, token, owner: ownerOf(key) })));
      await store.commit(there.map((key) => ({ key, token, nextOffset: 100n, metadata: formatKey(key) })));
      const shown = (record: OffsetRecord | undefined): string =>
        record ? `${formatKey(record)} ${record.metadata}` : "";
      const byName = inserted.toSorted((left, right) => (formatKey(left) < formatKey(right) ? -1 : 1));
      const byPartition = inserted.toSorted((left, right) => left.partition - right.partition);
      const mixed = [5, 7, 11].map((step) => inserted.map((_, index) => inserted[(index * step + 3) % 12] ?? keyOf()));
      const orders = [inserted, byName, byPartition].flatMap((order) => [order, order.toReversed()]);
      for (const keys of [...orders, ...mixed]) {
        const expectEach = (verb: string, answers: readonly string[], expected: (key: OffsetKey) => string): void => {
          assert.equal(answers.length, keys.length, `${verb} gave ${answers.length} answers to ${keys.length} entries`);
          for (const [index, key] of keys.entries()) {
            const place = `${verb} of ${formatKey(key)}, entry ${index + 1} of ${keys.length},`;
            assert.equal(answers[index], expected(key), `${place} was answered for another key: ${answers[index]}`);
          }
        };
        const own = (key: OffsetKey): string => `${formatKey(key)} ${formatKey(key)}`;
        const isMissing = (key: OffsetKey): boolean => kindOf.get(key) === 0;
        const fetches = (await store.fetch(keys)).map((one) =>
          one.status === "found" ? shown(one.record) : one.status,
        );
        expectEach("fetch", fetches, (key) => (isMissing(key) ? "absent" : own(key)));
        const expiries = (await store.expire(keys.map((key) => ({ key, ttl: null })))).map(({ status }) => status);
        expectEach("expire", expiries, (key) => (isMissing(key) ? "absent" : "set"));
        const commits = await store.commit(
          keys.map((key) => {
            const kind = kindOf.get(key) ?? 0;
            const more = { token: kind === 1 ? newToken() : token, nextOffset: kind === 2 ? 9n : 100n };
            return { key, metadata: formatKey(key), ...more };
          }),
        );
        const said = commits.map((one) =>
          one.status === "behind"
            ? `behind ${shown(one.record)}`
            : one.status === "fenced"
              ? `${one.reason} ${one.owner ?? ""}`
              : one.status,
        );
        expectEach(
          "commit",
          said,
          (key) =>
            ["absent ", `superseded ${ownerOf(key)}`, `behind ${own(key)}`, "committed"][kindOf.get(key) ?? 0] ?? "",
        );
        const claims = await store.claim(keys.map((key) => ({ key, token, owner: ownerOf(key) })));
        const claimed = claims.map((one) => (one.status === "claimed" ? shown(one.record) : one.status));
        expectEach("claim", claimed, (key) => (isMissing(key) ? "" : own(key)));
        await store.delete({ keys: missing });
      }
    },
  },
  {
    id: "batch/entries-of-their-own",
    clause: "3.1e",
    title: "each entry of a batch goes by its own ttl, rewind, epoch, release and recreate",
    run: async ({ store }) => {
      const token = newToken();
      for (const [round, inOrder] of [true, false].entries()) {
        const ordered = <Item>(items: Item[]): Item[] => (inOrder ? items : items.toReversed());
        const [first, second, third] = [0, 1, 2].map((partition) => keyOf({ topic: `t${round}`, partition }));
        assert.ok(first && second && third);
        const expectTtls = async (verb: string, expected: readonly (number | undefined)[]): Promise<void> => {
          for (const [index, key] of [first, second, third].entries()) {
            const { ttl } = await found(store, key);
            assert.equal(ttl, expected[index], `${verb} gave ${formatKey(key)} the ttl of another entry`);
          }
        };
        const entry = { token, owner: "o" };
        await store.claim(
          ordered([
            { ...entry, key: first, ttl: HOUR_MS },
            { ...entry, key: second, ttl: 2 * HOUR_MS },
            { ...entry, key: third },
          ]),
        );
        await expectTtls("a claim", [HOUR_MS, 2 * HOUR_MS, undefined]);
        await store.commit(
          ordered([
            { key: first, token, nextOffset: 10n, ttl: 3 * HOUR_MS },
            { key: second, token, nextOffset: 10n },
            { key: third, token, nextOffset: 10n, ttl: 4 * HOUR_MS },
          ]),
        );
        await expectTtls("a commit", [3 * HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS]);
        await store.reset(
          ordered([
            { key: first, nextOffset: 10n, ttl: null },
            { key: second, nextOffset: 10n, ttl: HOUR_MS },
            { key: third, nextOffset: 10n },
          ]),
        );
        await expectTtls("a reset", [undefined, HOUR_MS, 4 * HOUR_MS]);
        await store.claim(ordered([first, second, third].map((key) => ({ ...entry, key }))));
        const rewinds = await store.commit(
          ordered([
            { key: first, token, nextOffset: 3n, rewind: true },
            { key: second, token, nextOffset: 3n },
            { key: third, token, nextOffset: 11n },
          ]),
        );
        assert.deepEqual(
          ordered(rewinds.map(({ status }) => status)),
          ["committed", "behind", "committed"],
          "an entry went by the rewind of another entry",
        );
        const { epoch } = await found(store, first);
        const epochs = await store.commit(
          ordered([
            { key: first, token, epoch },
            { key: second, token },
            { key: third, token, epoch: 1 },
          ]),
        );
        assert.deepEqual(
          ordered(epochs.map(({ status }) => status)),
          ["committed", "committed", "fenced"],
          "an entry went by the epoch of another entry",
        );
        await store.commit(
          ordered([
            { key: first, token, release: true },
            { key: second, token },
          ]),
        );
        await committed(store, second, token);
        const released = await commit(store, first, token);
        assert.equal(released.status, "fenced", "an entry was held as another entry of its batch was");
        await store.delete({ keys: [first, second] });
        const recreated = await store.commit(
          ordered([
            { key: first, token, nextOffset: 1n, recreate: true, owner: "o" },
            { key: second, token, nextOffset: 1n },
          ]),
        );
        assert.deepEqual(
          ordered(recreated.map(({ status }) => status)),
          ["committed", "fenced"],
          "an entry went by the recreate of another entry",
        );
      }
    },
  },
];
