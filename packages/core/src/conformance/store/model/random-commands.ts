import type { OffsetKey } from "../../../key.ts";
import type { OffsetFilter } from "../../../offset-store.ts";
import type { SeededRandom } from "../seeded-random.ts";
import { identity } from "./key-model.ts";
import type { ModelCommand, Place, PlannedCommit } from "./model-command.ts";
import { MODEL_CLIENTS } from "./model-run.ts";
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
} from "./vocabulary.ts";

/** Commands as they come from a seed, for the kit's own case, which depends on nothing. */
export function randomCommands(random: SeededRandom, count: number): ModelCommand[] {
  return Array.from({ length: count }, () => ({ ...command(random), client: random.below(MODEL_CLIENTS) }));
}

type WithoutClient<Command> = Command extends unknown ? Omit<Command, "client"> : never;

function command(random: SeededRandom): WithoutClient<ModelCommand> {
  const keys = distinctKeys(random);
  const verb = random.below(40);
  if (verb < 8) {
    const claimed = (key: OffsetKey) => ({
      key,
      token: random.pick(TOKENS),
      owner: random.pick(OWNERS),
      ...(random.once(4) && { member: random.pick(MEMBERS) }),
      ...ttl(random),
    });
    return { verb: "claim", entries: keys.map(claimed) };
  }
  if (verb < 26) return { verb: "commit", entries: keys.map((key) => plannedCommit(key, random)) };
  if (verb < 29) return { verb: "fetch", keys };
  if (verb < 31) {
    const moved = (key: OffsetKey) => ({ key, to: place(random), ...metadata(random), ...ttl(random) });
    return { verb: "reset", entries: keys.map(moved) };
  }
  if (verb < 33) return { verb: "expire", entries: keys.map((key) => ({ key, ttl: random.pick(TTLS) })) };
  if (verb < 36) return { verb: "list", filter: filterOf(random) };
  if (verb === 36) return { verb: "delete", selector: { keys } };
  if (verb === 37) return { verb: "delete", selector: { ...filterOf(random), topic: random.pick(TOPICS) } };
  return { verb: verb === 38 ? "sweep" : "reopen" };
}

function plannedCommit(key: OffsetKey, random: SeededRandom): PlannedCommit {
  const common = {
    key,
    token: random.pick(TOKENS),
    ...ttl(random),
    ...(random.once(6) && { release: true }),
    // A record that is made without an epoch gets one that is in no answer.
    ...(random.once(4) ? { recreateFor: "recreated", ...epoch(random) } : random.once(2) && epoch(random)),
  };
  if (random.once(5)) return common;
  return {
    ...common,
    ...(random.once(4) && { rewind: true }),
    to: place(random),
    ...metadata(random),
    ...(random.once(3) && { mark: random.pick(MARKS) }),
    ...(random.once(3) && { acknowledged: random.pick(ACKNOWLEDGED) }),
    ...(random.once(8) && { resetFrom: random.pick(RESETS) }),
  };
}

function epoch(random: SeededRandom): { readonly epochsAgo: number } {
  return { epochsAgo: random.once(3) ? 1 + random.below(2) : 0 };
}

function place(random: SeededRandom): Place {
  return random.once(8) ? random.pick(ODD_OFFSETS) : { fromStored: random.below(8) - 3 };
}

function metadata(random: SeededRandom): { readonly metadata?: string } {
  return random.once(2) ? {} : { metadata: random.pick(METADATA) };
}

function ttl(random: SeededRandom): { readonly ttl?: number | null } {
  return random.once(2) ? {} : { ttl: random.pick(TTLS) };
}

function distinctKeys(random: SeededRandom): OffsetKey[] {
  const keys = Array.from({ length: 1 + random.below(4) }, () => random.pick(KEYS));
  return [...new Map(keys.map((key) => [identity(key), key])).values()];
}

function filterOf(random: SeededRandom): OffsetFilter {
  return {
    ...(random.once(2) && { consumer: random.pick(CONSUMERS) }),
    ...(random.once(2) && { topic: random.pick(TOPICS) }),
    ...(random.once(3) && { partition: random.pick(PARTITIONS) }),
  };
}
