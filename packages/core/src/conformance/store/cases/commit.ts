import { assert } from "../../assert.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { claim, commit, committed, found, keyOf, lasting, newToken, only, position } from "../outcomes.ts";

/** Positions go forward, one answer per entry. */
export const commitCases: readonly ConformanceCase[] = [
  {
    id: "commit/forward",
    clause: "3.2a",
    title: "a commit under the claim's token stores position and metadata; later ones go forward",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n, { metadata: "ten" });
      assert.deepEqual(position(await found(store, key)), { nextOffset: 10n, metadata: "ten" });
      await committed(store, key, token, 11n, { metadata: "" });
      assert.deepEqual(position(await found(store, key)), { nextOffset: 11n, metadata: "" });
    },
  },
  {
    id: "commit/same-position",
    clause: "3.2a",
    title: "the same position again is committed",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n);
      await committed(store, key, token, 10n, { metadata: "again" });
      assert.deepEqual(position(await found(store, key)), { nextOffset: 10n, metadata: "again" });
    },
  },
  {
    id: "commit/behind",
    clause: "3.2a",
    title: "a position behind the stored one is answered with the stored record, and nothing is written",
    run: async ({ store, longTtl }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token, 10n, { metadata: "ten" });
      const before = await found(store, key);
      const outcome = await commit(store, key, token, 9n, { metadata: "nine", ttl: longTtl });
      assert.equal(outcome.status, "behind");
      assert.deepEqual("record" in outcome && outcome.record, before);
      assert.deepEqual(await found(store, key), before);
    },
  },
  {
    id: "commit/zero-is-a-position",
    clause: "3.8a",
    title: "0n is a position, distinct from none",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      assert.equal((await found(store, key)).nextOffset, undefined);
      await committed(store, key, token, 0n);
      assert.equal((await found(store, key)).nextOffset, 0n);
      await committed(store, key, token, 1n);
      assert.equal((await commit(store, key, token, 0n)).status, "behind");
    },
  },
  {
    id: "commit/renewal-only",
    clause: "3.2d",
    title: "an entry without nextOffset renews and changes neither position, metadata nor the time of the commit",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      await committed(store, key, token);
      assert.equal((await found(store, key)).nextOffset, undefined, "a renewal is not a position");
      await committed(store, key, token, 10n, { metadata: "ten" });
      const before = await found(store, key);
      await committed(store, key, token);
      assert.deepEqual(lasting(await found(store, key)), lasting(before));
    },
  },
  {
    id: "commit/batch-order",
    clause: "3.1e",
    title: "300 entries in one call get one answer each, in the order asked",
    run: async ({ store }) => {
      const keys = Array.from({ length: 300 }, (_, index) =>
        // Neither sorted by name nor by partition: an answer in the backend's own order is a wrong answer.
        keyOf({ consumer: `c${index % 3}`, topic: `t${(index * 7) % 5}`, partition: (index * 37) % 300 }),
      );
      const [token, stranger] = [newToken(), newToken()];
      const claims = await store.claim(keys.map((key) => ({ key, token, owner: "mine" })));
      assert.deepEqual(
        claims.map((outcome) => ({ ...outcome, epoch: 0 })),
        keys.map(() => ({ status: "claimed", epoch: 0, record: undefined })),
      );
      const outcomes = await store.commit(
        keys.map((key, index) => ({
          key,
          token: index % 4 === 0 ? stranger : token,
          nextOffset: BigInt(index),
        })),
      );
      assert.deepEqual(
        outcomes.map((outcome) => outcome.status),
        keys.map((_, index) => (index % 4 === 0 ? "fenced" : "committed")),
      );
      const unknown = keyOf({ consumer: "nobody" });
      const asked = [...keys.toReversed(), unknown];
      const answers = await store.fetch(asked);
      assert.equal(answers.length, asked.length);
      answers.forEach((answer, index) => {
        const original = 299 - index;
        if (original < 0) return assert.equal(answer.status, "absent");
        assert.ok(answer.status === "found", `entry ${index} was answered with ${answer.status}`);
        const { consumer, topic, partition, nextOffset } = answer.record;
        assert.deepEqual({ consumer, topic, partition }, keys[original]);
        assert.equal(nextOffset, original % 4 === 0 ? undefined : BigInt(original));
      });
      const expiries = await store.expire([unknown, ...keys].map((key) => ({ key, ttl: null })));
      assert.deepEqual(
        expiries.map(({ status }) => status),
        ["absent", ...keys.map(() => "set")],
      );
      const resets = await store.reset(keys.map((key) => ({ key, nextOffset: 1n })));
      assert.deepEqual(
        resets,
        keys.map(() => ({ status: "reset" })),
      );
    },
  },
  {
    id: "commit/empty-batch",
    clause: "3.1e",
    title: "an empty batch is answered with an empty answer",
    run: async ({ store }) => {
      assert.deepEqual(await store.claim([]), []);
      assert.deepEqual(await store.commit([]), []);
      assert.deepEqual(await store.fetch([]), []);
      assert.deepEqual(await store.reset([]), []);
      assert.deepEqual(await store.expire([]), []);
      assert.deepEqual(await store.delete({ keys: [] }), []);
    },
  },
  {
    id: "commit/refused-entry-stops-nobody",
    clause: "3.1e",
    title: "a refused entry leaves the others of its batch alone, unless the caller's transaction is theirs too",
    run: async ({ store }) => {
      const [good, lost] = [keyOf({ partition: 0 }), keyOf({ partition: 1 })];
      const token = newToken();
      await claim(store, good, token);
      const outcomes = await store.commit([
        { key: lost, token, nextOffset: 1n },
        { key: good, token, nextOffset: 2n },
      ]);
      assert.deepEqual(outcomes, [{ status: "fenced", reason: "absent" }, { status: "committed" }]);
      assert.equal((await found(store, good)).nextOffset, 2n);
      assert.deepEqual(only(await store.fetch([lost])), { status: "absent" });
    },
  },
  {
    id: "commit/metadata-round-trip",
    clause: "3.8c",
    title: "metadata comes back as it was: 4,096 bytes, any character; more is a RangeError",
    run: async ({ store }) => {
      const [key, token] = [keyOf(), newToken()];
      await claim(store, key, token);
      const texts = [
        "x".repeat(4096),
        "é".repeat(2048),
        "a\r\nb\rc\nd\r\n",
        "\r\n",
        " at both ends ",
        "\u0000\n\t\"'\\{}:%*/ 🌊 \u2028 __proto__",
        '{"json":true}',
        " ",
        "",
      ];
      for (const [index, metadata] of texts.entries()) {
        await committed(store, key, token, BigInt(index), { metadata });
        assert.equal((await found(store, key)).metadata, metadata);
      }
      const tooLong = { key, nextOffset: 99n, metadata: `${"é".repeat(2048)}x` };
      await assert.rejects(store.commit([{ ...tooLong, token }]), RangeError);
      await assert.rejects(store.reset([tooLong]), RangeError);
      assert.equal((await found(store, key)).nextOffset, BigInt(texts.length - 1));
    },
  },
];
