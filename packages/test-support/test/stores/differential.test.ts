import { randomInt } from "node:crypto";
import { inspect } from "node:util";
import type { CommitEntry, OffsetFilter, OffsetKey, OffsetRecord, OffsetStore } from "@tidemark/core";
import { describeEachStore, type StoreBackend, testedStores } from "@tidemark/test-support/stores";
import { expect, it } from "vitest";

const COMMANDS = 150;
/** The last one is another in each run. */
const SEEDS = [1, 2, 3, randomInt(2 ** 31)];

const CONSUMERS = ["c1", "c10", "c:1", "__proto__"];
const TOPICS = ["t", "t1", "../{t}*", "Ö\n/🌊", "t%2F"];
const TOKENS = ["token-a", "token-b", "token-c"];
const MAX = 2n ** 63n - 1n;
/** Positions where arithmetic goes wrong: as numbers, as text, as signed 64 bits. */
const ODD_OFFSETS = [0n, 9n, 10n, 99n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, MAX - 1n, MAX];
/** Hours: no record expires while the histories run. */
const TTLS = [undefined, undefined, null, 3_600_000, 86_400_000];

type Command =
  | { readonly verb: "claim"; readonly entries: Parameters<OffsetStore["claim"]>[0] }
  | { readonly verb: "commit"; readonly entries: readonly CommitEntry[] }
  | { readonly verb: "fetch"; readonly keys: readonly OffsetKey[] }
  | { readonly verb: "reset"; readonly entries: Parameters<OffsetStore["reset"]>[0] }
  | { readonly verb: "expire"; readonly entries: Parameters<OffsetStore["expire"]>[0] }
  | { readonly verb: "list"; readonly filter: OffsetFilter }
  | { readonly verb: "delete"; readonly selector: Parameters<OffsetStore["delete"]>[0] };

interface Step {
  readonly command: Command;
  /** What the store in memory said. */
  readonly answer: unknown;
}

/** Numbers from a seed, the same for the same seed (xorshift). */
class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 1;
  }

  below(bound: number): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) % bound;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  once(times: number): boolean {
    return this.below(times) === 0;
  }
}

const histories = new Map(await Promise.all(SEEDS.map(async (seed) => [seed, await historyOf(seed)] as const)));

await describeEachStore(testedStores, (_, openBackend) => {
  it.concurrent.each(SEEDS)(`answers ${COMMANDS} commands as the store in memory does, seed %i`, async (seed) => {
    const backend = await openBackend();
    try {
      await replay(backend, histories.get(seed) ?? []);
    } catch (error) {
      throw new Error(`seed ${seed}: ${error instanceof Error ? error.message : inspect(error)}`, { cause: error });
    } finally {
      await backend.close();
    }
  });
});

it("the histories have every kind of answer in them", () => {
  const text = inspect([...histories.values()].flat(), { depth: null, maxArrayLength: null });
  for (const word of ["committed", "behind", "superseded", "'reset'", "'absent'", "'found'", "'set'"]) {
    expect(text).toContain(word);
  }
  const steps = [...histories.values()].flat();
  const answers = (entryHas: (entry: CommitEntry) => boolean): unknown[] =>
    steps.flatMap(({ command, answer }) =>
      command.verb === "commit"
        ? (answer as { status: string }[]).filter((_, index) => entryHas(command.entries[index] as CommitEntry))
        : [],
    );
  const committed = { status: "committed" };
  expect(answers(({ rewindFrom }) => rewindFrom !== undefined)).toContainEqual(committed);
  expect(answers(({ recreate }) => recreate === true)).toContainEqual(committed);
  expect(answers(({ nextToken }) => nextToken !== undefined)).toContainEqual(committed);
  expect(answers(({ nextOffset }) => nextOffset === MAX)).toContainEqual(committed);
  expect(answers(({ nextOffset }) => nextOffset === undefined)).toContainEqual(committed);
});

/** Two clients take turns: what one of them remembers, the other has changed. */
async function replay(backend: StoreBackend, history: readonly Step[]): Promise<void> {
  const stores = [await backend.open(), await backend.open()];
  try {
    for (const [index, { command, answer }] of history.entries()) {
      const store = stores[index % 3 === 0 ? 1 : 0];
      if (store === undefined) throw new RangeError("there are two stores");
      const said = await run(store, command);
      const before = history
        .slice(Math.max(0, index - 5), index + 1)
        .map((step) => inspect(step.command, { depth: null, breakLength: Infinity }));
      expect(said, `command ${index}, the last of\n  ${before.join("\n  ")}\n`).toEqual(answer);
    }
  } finally {
    await Promise.all(stores.map((store) => store.close()));
  }
}

/** Makes a history and has the store in memory answer it. */
async function historyOf(seed: number): Promise<Step[]> {
  const [reference] = testedStores;
  const store = await (await reference?.openBackend(undefined))?.open();
  if (store === undefined) throw new RangeError("there is no store in memory");
  const dice = new Dice(seed);
  const history: Step[] = [];
  for (let count = 0; count < COMMANDS; count += 1) {
    const command = await nextCommand(store, dice);
    history.push({ command, answer: await run(store, command) });
  }
  const all: Command = { verb: "list", filter: {} };
  history.push({ command: all, answer: await run(store, all) });
  await store.close();
  return history;
}

async function nextCommand(store: OffsetStore<unknown>, dice: Dice): Promise<Command> {
  const keys = distinctKeys(dice);
  const verb = dice.below(40);
  if (verb < 8) {
    const entries = keys.map((key) => ({
      key,
      token: dice.pick(TOKENS),
      owner: dice.pick(["o1", "ö2"]),
      ...ttl(dice),
    }));
    return { verb: "claim", entries };
  }
  if (verb < 26) {
    const stored = await positions(store, keys);
    return { verb: "commit", entries: keys.map((key, index) => commitEntry(key, stored[index], dice)) };
  }
  if (verb < 30) return { verb: "fetch", keys };
  if (verb < 32) {
    const stored = await positions(store, keys);
    const entries = keys.map((key, index) => ({
      key,
      nextOffset: near(stored[index], dice),
      ...metadata(dice),
      ...ttl(dice),
    }));
    return { verb: "reset", entries };
  }
  if (verb < 34)
    return { verb: "expire", entries: keys.map((key) => ({ key, ttl: dice.pick([null, 3_600_000, 7_200_000]) })) };
  if (verb < 37) return { verb: "list", filter: filterOf(dice) };
  if (verb === 37) return { verb: "delete", selector: { ...filterOf(dice), consumer: dice.pick(CONSUMERS) } };
  if (verb === 38) return { verb: "delete", selector: dice.once(2) ? { keys } : { expired: true } };
  return { verb: "delete", selector: { topic: dice.pick(TOPICS) } };
}

async function run(store: OffsetStore<unknown>, command: Command): Promise<unknown> {
  switch (command.verb) {
    case "claim":
      return (await store.claim(command.entries)).map(timeless);
    case "commit":
      return (await store.commit(command.entries)).map(timeless);
    case "fetch":
      return (await store.fetch(command.keys)).map(timeless);
    case "reset":
      return store.reset(command.entries);
    case "expire":
      return store.expire(command.entries);
    case "list":
      return sorted((await Array.fromAsync(store.list(command.filter))).map(shown));
    case "delete":
      return sorted(await store.delete(command.selector));
  }
}

function commitEntry(key: OffsetKey, stored: bigint | undefined, dice: Dice): CommitEntry {
  const common = {
    key,
    token: dice.pick(TOKENS),
    ...ttl(dice),
    ...(dice.once(6) && { nextToken: dice.pick(TOKENS) }),
    ...(dice.once(3) && { recreate: true, owner: "recreated" }),
  };
  if (dice.once(5)) return common;
  const rewindFrom = dice.once(3) ? (stored ?? 0n) : dice.once(6) ? near(stored, dice) : undefined;
  return {
    ...common,
    nextOffset: near(stored, dice),
    ...metadata(dice),
    ...(rewindFrom !== undefined && { rewindFrom }),
  };
}

function near(stored: bigint | undefined, dice: Dice): bigint {
  if (dice.once(8)) return dice.pick(ODD_OFFSETS);
  const target = (stored ?? 0n) + BigInt(dice.below(8) - 3);
  return target < 0n ? 0n : target > MAX ? MAX : target;
}

function metadata(dice: Dice): { readonly metadata?: string } {
  if (dice.once(2)) return {};
  return { metadata: dice.pick(["m", "", '{"a":"b"}', "Grüße\0\n", "x".repeat(4_096)]) };
}

function ttl(dice: Dice): { readonly ttl?: number | null } {
  const chosen = dice.pick(TTLS);
  return chosen === undefined ? {} : { ttl: chosen };
}

function distinctKeys(dice: Dice): OffsetKey[] {
  const keys = Array.from({ length: 1 + dice.below(4) }, () => ({
    consumer: dice.pick(CONSUMERS),
    topic: dice.pick(TOPICS),
    partition: dice.pick([0, 1, 2 ** 31 - 1]),
  }));
  return [...new Map(keys.map((key) => [JSON.stringify(key), key])).values()];
}

function filterOf(dice: Dice): OffsetFilter {
  return {
    ...(dice.once(2) && { consumer: dice.pick(CONSUMERS) }),
    ...(dice.once(2) && { topic: dice.pick(TOPICS) }),
    ...(dice.once(3) && { partition: dice.pick([0, 1]) }),
  };
}

async function positions(store: OffsetStore<unknown>, keys: readonly OffsetKey[]): Promise<(bigint | undefined)[]> {
  return (await store.fetch(keys)).map((outcome) =>
    outcome.status === "found" ? outcome.record.nextOffset : undefined,
  );
}

/** A record without what only the store's clock knows: of a time, that it is there. */
function shown(record: OffsetRecord): unknown {
  return Object.fromEntries(
    Object.entries(record).map(([field, value]) => [field, value instanceof Date ? "a time" : value]),
  );
}

function timeless(outcome: { readonly status: string; readonly record?: OffsetRecord | undefined }): unknown {
  return outcome.record === undefined ? outcome : { ...outcome, record: shown(outcome.record) };
}

function sorted<Item>(items: readonly Item[]): Item[] {
  const name = (item: Item): string => {
    const { consumer, topic, partition } = item as OffsetKey;
    return JSON.stringify([consumer, topic, partition]);
  };
  return items.toSorted((left, right) => (name(left) < name(right) ? -1 : 1));
}
