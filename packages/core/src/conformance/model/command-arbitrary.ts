import * as fc from "fast-check";

import type { OffsetKey } from "../../key.ts";
import type { OffsetFilter } from "../../offset-store.ts";
import { identity } from "../store/model/key-model.ts";
import type { ModelCommand, Place, PlannedCommit, PlannedReset } from "../store/model/model-command.ts";
import { MODEL_CLIENTS } from "../store/model/model-run.ts";
import {
  ACKNOWLEDGED,
  CONSUMERS,
  KEYS,
  MARKS,
  MEMBERS,
  METADATA,
  ODD_OFFSETS,
  OWNERS,
  PARTITIONS,
  RESETS,
  TOKENS,
  TOPICS,
  TTLS,
} from "../store/model/vocabulary.ts";

/** How lists of commands are made. */
export interface CommandOptions {
  /** The most commands of a list. */
  readonly maxCommands: number;
  /** Whether waiting for an expiry takes seconds: lists then seldom do. */
  readonly slowClock: boolean;
}

/**
 * Lists of commands. They shrink to fewer commands, fewer entries, plainer names and smaller positions: every command makes
 * sense after any others, so that none needs another.
 */
export function commandLists({ maxCommands, slowClock }: CommandOptions): fc.Arbitrary<ModelCommand[]> {
  const verbs: readonly fc.WeightedArbitrary<object>[] = [
    { weight: 80, arbitrary: fc.record({ verb: fc.constant("claim"), entries: several(claim) }) },
    { weight: 180, arbitrary: fc.record({ verb: fc.constant("commit"), entries: several(plannedCommit) }) },
    { weight: 30, arbitrary: fc.record({ verb: fc.constant("fetch"), keys: keys() }) },
    { weight: 20, arbitrary: fc.record({ verb: fc.constant("reset"), entries: several(plannedReset) }) },
    { weight: 20, arbitrary: fc.record({ verb: fc.constant("expire"), entries: several(expiry) }) },
    { weight: 30, arbitrary: fc.record({ verb: fc.constant("list"), filter: filter() }) },
    { weight: 20, arbitrary: fc.record({ verb: fc.constant("delete"), selector: selector() }) },
    { weight: 10, arbitrary: fc.record({ verb: fc.constant("sweep") }) },
    { weight: 5, arbitrary: fc.record({ verb: fc.constant("reopen") }) },
    { weight: slowClock ? 1 : 30, arbitrary: fc.record({ verb: fc.constant("outlive"), keys: keys() }) },
  ];
  const command = fc
    .tuple(fc.oneof(...verbs), fc.nat({ max: MODEL_CLIENTS - 1 }))
    .map(([what, client]) => ({ ...what, client }) as ModelCommand);
  // Without the size an array would hold ten at most.
  return fc.array(command, { minLength: 1, maxLength: maxCommands, size: "max" });
}

/** One to four entries of different keys, or, when shrunk, none. Each shrinks to nothing by itself, which those of an array do not. */
function several<Entry extends { readonly key: OffsetKey }>(entryOf: () => fc.Arbitrary<Entry>): fc.Arbitrary<Entry[]> {
  const entry = entryOf();
  return fc.tuple(seldom(1.1, entry), seldom(2, entry), seldom(3, entry), seldom(4, entry)).map((entries) =>
    distinct(
      entries.filter((one) => one !== undefined),
      (one) => one.key,
    ),
  );
}

function distinct<Item>(items: readonly Item[], keyOf: (item: Item) => OffsetKey): Item[] {
  return [...new Map(items.map((item) => [identity(keyOf(item)), item])).values()];
}

function key(): fc.Arbitrary<OffsetKey> {
  return fc.constantFrom(...KEYS);
}

function keys(): fc.Arbitrary<OffsetKey[]> {
  return several(() => fc.record({ key: key() })).map((entries) => entries.map((entry) => entry.key));
}

function claim(): fc.Arbitrary<ClaimPlan> {
  return fc.record(
    {
      key: key(),
      token: token(),
      owner: fc.constantFrom(...OWNERS),
      member: fc.constantFrom(...MEMBERS),
      ttl: fc.constantFrom(...TTLS),
    },
    { requiredKeys: ["key", "token", "owner"] },
  );
}

type ClaimPlan = Extract<ModelCommand, { readonly verb: "claim" }>["entries"][number];

function plannedCommit(): fc.Arbitrary<PlannedCommit> {
  const renewal = fc
    .record({
      required: fc.record({ key: key(), token: token() }),
      ttl: seldom(2, ttl()),
      epochsAgo: seldom(2, epochsAgo()),
      release: seldom(4, fc.constant(true)),
      recreateFor: seldom(2, fc.constant("recreated")),
    })
    .map(planned);
  const moving = fc
    .record({
      required: fc.record({ key: key(), token: token(), to: place() }),
      metadata: seldom(2, fc.constantFrom(...METADATA)),
      mark: seldom(3, fc.constantFrom(...MARKS)),
      acknowledged: seldom(3, fc.constantFrom(...ACKNOWLEDGED)),
      resetFrom: seldom(8, fc.constantFrom(...RESETS)),
      ttl: seldom(2, ttl()),
      epochsAgo: seldom(2, epochsAgo()),
      rewind: seldom(4, fc.constant(true)),
      release: seldom(6, fc.constant(true)),
      recreateFor: seldom(4, fc.constant("recreated")),
    })
    .map(planned);
  return fc.oneof({ weight: 1, arbitrary: renewal }, { weight: 4, arbitrary: moving });
}

type Drawn = Omit<PlannedCommit, "key" | "token"> & { readonly required: Pick<PlannedCommit, "key" | "token"> };

/** A record that is made without an epoch gets one that is in no answer: the caller says which. */
function planned({ required, ...rest }: Drawn): PlannedCommit {
  return { ...required, ...rest, ...(rest.recreateFor !== undefined && { epochsAgo: rest.epochsAgo ?? 0 }) };
}

/** Mostly the newest. */
function epochsAgo(): fc.Arbitrary<number> {
  return fc.constantFrom(0, 0, 0, 1, 2);
}

function plannedReset(): fc.Arbitrary<PlannedReset> {
  return fc.record(
    { key: key(), to: place(), metadata: fc.constantFrom(...METADATA), ttl: ttl() },
    { requiredKeys: ["key", "to"] },
  );
}

function expiry(): fc.Arbitrary<{ key: OffsetKey; ttl: number | null }> {
  return fc.record({ key: key(), ttl: ttl() });
}

function selector(): fc.Arbitrary<{ readonly keys: readonly OffsetKey[] } | OffsetFilter> {
  // A selector must name something.
  const named = fc.oneof(
    fc.record({ consumer: fc.constantFrom(...CONSUMERS) }),
    fc.record({ topic: fc.constantFrom(...TOPICS) }),
  );
  return fc.oneof(
    keys().map((some) => ({ keys: some })),
    fc.tuple(filter(), named).map(([some, one]) => ({ ...some, ...one })),
  );
}

function filter(): fc.Arbitrary<OffsetFilter> {
  return fc.record(
    {
      consumer: fc.constantFrom(...CONSUMERS),
      topic: fc.constantFrom(...TOPICS),
      partition: fc.constantFrom(...PARTITIONS),
    },
    { requiredKeys: [] },
  );
}

function token(): fc.Arbitrary<string> {
  return fc.constantFrom(...TOKENS);
}

function ttl(): fc.Arbitrary<number | null> {
  return fc.constantFrom(...TTLS);
}

function place(): fc.Arbitrary<Place> {
  return fc.oneof(
    { weight: 7, arbitrary: fc.integer({ min: -3, max: 4 }).map((fromStored) => ({ fromStored })) },
    { weight: 1, arbitrary: fc.constantFrom(...ODD_OFFSETS) },
  );
}

/** Once in `times`; it shrinks to nothing. */
function seldom<Value>(times: number, value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> {
  const nothing = { weight: Math.round(60 - 60 / times), arbitrary: fc.constant(undefined) };
  return fc.oneof({ withCrossShrink: true }, nothing, { weight: Math.round(60 / times), arbitrary: value });
}
