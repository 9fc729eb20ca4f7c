import assert from "node:assert/strict";
import { randomInt } from "node:crypto";

import type { OffsetKey } from "../../../key.ts";
import type { OffsetRecord } from "../../../offset-record.ts";
import type { CommitEntry, OffsetFilter } from "../../../offset-store.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { type AnyStore, identities, listed } from "../outcomes.ts";
import { SeededRandom } from "../seeded-random.ts";
import { shown, StoreModel } from "../store-model.ts";

const COMMANDS = 400;
const CONSUMERS = ["c1", "c10", "c:1"];
const TOPICS = ["t", "t1", "{t}/%"];
const TOKENS = ["token-a", "token-b", "token-c"];
/** Hours: no record expires while a case runs. */
const TTLS = [undefined, undefined, null, 3_600_000, 86_400_000];

/** Whatever the order of calls. */
export const modelCases: readonly ConformanceCase[] = [
  {
    id: "model/random-commands",
    clause: "3.1a",
    title: `${COMMANDS} random commands are answered as by a model of the contract`,
    run: async (context) => {
      const { store: other } = await context.openAnother();
      const seed = randomInt(2 ** 31);
      const random = new SeededRandom(seed);
      const model = new StoreModel();
      const history: string[] = [];
      try {
        for (let step = 0; step < COMMANDS; step += 1) {
          await command(random.once(3) ? other : context.store, model, random, history);
        }
        assert.deepEqual(sorted((await listed(context.store)).map(shown)), sorted(model.list({})));
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        const recent = history.slice(-8).join("\n  ");
        throw new assert.AssertionError({
          message: `seed ${seed}, command ${history.length}; the last of them:\n  ${recent}\n${message}`,
        });
      }
    },
  },
];

async function command(store: AnyStore, model: StoreModel, random: SeededRandom, history: string[]): Promise<void> {
  const keys = distinctKeys(random);
  const say = (verb: string, what: unknown): void => {
    history.push(
      `${verb} ${JSON.stringify(what, (_, value: unknown) => (typeof value === "bigint" ? `${value}n` : value))}`,
    );
  };
  const verb = random.below(20);
  if (verb < 4) {
    const entries = keys.map((key) => ({
      key,
      ...ttl(random),
      token: random.pick(TOKENS),
      owner: random.pick(["o1", "o2"]),
    }));
    say("claim", entries);
    assert.deepEqual(
      (await store.claim(entries)).map(timeless),
      entries.map((entry) => model.claim(entry)),
    );
  } else if (verb < 13) {
    const entries = keys.map((key) => commitEntry(key, model, random));
    say("commit", entries);
    assert.deepEqual(
      (await store.commit(entries)).map(timeless),
      entries.map((entry) => model.commit(entry)),
    );
  } else if (verb < 15) {
    say("fetch", keys);
    assert.deepEqual(
      (await store.fetch(keys)).map(timeless),
      keys.map((key) => model.fetch(key)),
    );
  } else if (verb === 15) {
    const entries = keys.map((key) => ({ key, ...ttl(random), nextOffset: near(model.nextOffset(key), random) }));
    say("reset", entries);
    assert.deepEqual(
      await store.reset(entries),
      entries.map((entry) => model.reset(entry)),
    );
  } else if (verb === 16) {
    const entries = keys.map((key) => ({ key, ttl: random.pick([null, 3_600_000, 7_200_000]) }));
    say("expire", entries);
    assert.deepEqual(
      await store.expire(entries),
      entries.map((entry) => model.expire(entry.key, entry.ttl)),
    );
  } else if (verb === 17) {
    const filter = filterOf(random);
    say("list", filter);
    assert.deepEqual(sorted((await listed(store, filter)).map(shown)), sorted(model.list(filter)));
  } else if (verb === 18) {
    const filter = { ...filterOf(random), consumer: random.pick(CONSUMERS) };
    say("delete", filter);
    assert.deepEqual(identities(await store.delete(filter)), identities(model.delete(filter)));
  } else {
    say("delete", keys);
    assert.deepEqual(identities(await store.delete({ keys })), identities(keys.flatMap((key) => model.delete(key))));
  }
}

function commitEntry(key: OffsetKey, model: StoreModel, random: SeededRandom): CommitEntry {
  const stored = model.nextOffset(key);
  const renewal = random.once(5);
  return {
    key,
    token: random.pick(TOKENS),
    ...ttl(random),
    ...(!renewal && { nextOffset: near(stored, random) }),
    ...(!renewal && random.once(2) && { metadata: `m${random.below(100)}` }),
    ...(!renewal && random.once(3) && { rewindFrom: random.once(3) ? stored + 1n : stored }),
    ...(random.once(6) && { nextToken: random.pick(TOKENS) }),
    ...(random.once(4) && { recreate: true, owner: "recreated" }),
  };
}

function distinctKeys(random: SeededRandom): OffsetKey[] {
  const keys = Array.from({ length: 1 + random.below(4) }, () => ({
    consumer: random.pick(CONSUMERS),
    topic: random.pick(TOPICS),
    partition: random.below(2),
  }));
  return [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()];
}

function filterOf(random: SeededRandom): OffsetFilter {
  return {
    ...(random.once(2) && { consumer: random.pick(CONSUMERS) }),
    ...(random.once(2) && { topic: random.pick(TOPICS) }),
    ...(random.once(3) && { partition: random.below(2) }),
  };
}

function near(stored: bigint, random: SeededRandom): bigint {
  if (random.once(40)) return 2n ** 53n + BigInt(random.below(3));
  const target = stored + BigInt(random.below(8) - 3);
  return target < 0n ? 0n : target;
}

function ttl(random: SeededRandom): { ttl?: number | null } {
  const value = random.below(TTLS.length);
  const chosen = TTLS[value];
  return chosen === undefined ? {} : { ttl: chosen };
}

/** An answer without what only the store's clock knows. */
function timeless(outcome: { readonly status: string; readonly record?: OffsetRecord | undefined }): unknown {
  return outcome.record === undefined ? outcome : { ...outcome, record: shown(outcome.record) };
}

function sorted(records: readonly OffsetKey[]): OffsetKey[] {
  const name = ({ consumer, topic, partition }: OffsetKey): string => JSON.stringify([consumer, topic, partition]);
  return records.toSorted((left, right) => (name(left) < name(right) ? -1 : 1));
}
