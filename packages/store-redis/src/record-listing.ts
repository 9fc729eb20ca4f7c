import type { OffsetFilter, OffsetKey } from "@tidemark/core";
import { type DriverListing, toOffsetRecord, visibleAt } from "@tidemark/core/driver";
import type { RecordGroup, RedisKeys } from "./keys.ts";
import { decodeRecord, foreignKey } from "./record-encoding.ts";
import type { IndexedGroup, RecordIndex } from "./record-index.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { isWrongType } from "./redis-errors.ts";
import { runScript } from "./run-script.ts";
import { FETCH, SCAN } from "./scripts/read.ts";

/** About how many fields one part of a large group has. */
const PART_FIELDS = 1_000;

/** The same of its first part: those of all groups of a page are held together, and small groups come whole in theirs. */
const FIRST_PART_FIELDS = 100;

/** A part of a group: what is visible in it, and where the next one begins. */
interface GroupPart {
  readonly listings: DriverListing[];
  /** `"0"`: there is no more. */
  readonly cursor: string;
  /** Whether the group has no fields at all. */
  readonly isGone: boolean;
}

/** Lists records group by group: some small groups together, a large one part by part. */
export class RecordListing {
  readonly #connection: RedisConnection;
  readonly #keys: RedisKeys;
  readonly #index: RecordIndex;

  constructor(connection: RedisConnection, keys: RedisKeys, index: RecordIndex) {
    this.#connection = connection;
    this.#keys = keys;
    this.#index = index;
  }

  /** Gives what a filter matches, page by page. */
  async *pages(filter: OffsetFilter, signal: AbortSignal): AsyncGenerator<readonly DriverListing[], void, undefined> {
    for await (const groups of this.#index.pages(filter, signal)) {
      const parts = await Promise.all(groups.map(({ group }) => this.#part(group, filter.partition, "", signal)));
      const page = parts.flatMap(({ listings }) => listings);
      if (page.length > 0) yield page;
      for (const [place, { cursor, listings }] of parts.entries()) {
        const group = groups[place]?.group;
        if (cursor !== "0" && group !== undefined) yield* this.#rest(group, cursor, listings, signal);
      }
      if (filter.partition === undefined)
        await this.#prune(
          groups.filter((_, place) => parts[place]?.isGone),
          signal,
        );
    }
  }

  /** Removes from the index what is not there any more, of a few suspects. */
  async pruneSuspects(suspects: readonly IndexedGroup[], signal: AbortSignal): Promise<void> {
    const parts = await Promise.all(suspects.map(({ group }) => this.#part(group, undefined, "", signal)));
    await this.#prune(
      suspects.filter((_, place) => parts[place]?.isGone),
      signal,
    );
  }

  async #prune(gone: readonly IndexedGroup[], signal: AbortSignal): Promise<void> {
    // Only what came from the index has a time to compare.
    await this.#index.prune(
      gone.filter(({ claimed }) => claimed !== "unread"),
      signal,
    );
  }

  /** The parts of a large group after the first. A scan may give a field twice while the hash grows: it is told once. */
  async *#rest(
    group: RecordGroup,
    from: string,
    first: readonly DriverListing[],
    signal: AbortSignal,
  ): AsyncGenerator<readonly DriverListing[], void, undefined> {
    const partitionOf = (listing: DriverListing): number =>
      listing.status === "found" ? listing.record.partition : listing.key.partition;
    const told = new Set(first.map(partitionOf));
    for (let cursor = from; cursor !== "0";) {
      const part = await this.#part(group, undefined, cursor, signal);
      const fresh = part.listings.filter((listing) => !told.has(partitionOf(listing)));
      for (const listing of fresh) told.add(partitionOf(listing));
      if (fresh.length > 0) yield fresh;
      ({ cursor } = part);
    }
  }

  async #part(
    group: RecordGroup,
    partition: number | undefined,
    cursor: string,
    signal: AbortSignal,
  ): Promise<GroupPart> {
    const redisKey = this.#keys.group(group);
    try {
      if (partition !== undefined) {
        const [now, [value]] = (await this.#run(FETCH, redisKey, [String(partition)], signal)) as [
          string,
          (string | null)[],
        ];
        const pairs = value === null || value === undefined ? [] : [String(partition), value];
        return { listings: listingsOf(redisKey, group, pairs, Number(now)), cursor: "0", isGone: false };
      }
      const reply = await this.#run(
        SCAN,
        redisKey,
        [cursor, String(cursor === "" ? FIRST_PART_FIELDS : PART_FIELDS)],
        signal,
      );
      const [now, next, pairs] = reply as [string, string, string[]];
      const isGone = cursor === "" && next === "0" && pairs.length === 0;
      return { listings: listingsOf(redisKey, group, pairs, Number(now)), cursor: next, isGone };
    } catch (error) {
      if (!isWrongType(error)) throw error;
      const key = { ...group, partition: partition ?? 0 };
      return { listings: [{ status: "failed", key, error: foreignKey(redisKey) }], cursor: "0", isGone: false };
    }
  }

  #run(script: typeof FETCH, redisKey: string, args: readonly string[], signal: AbortSignal): Promise<unknown> {
    return runScript((key, command) => this.#connection.send(key, command, signal), script, [redisKey], args);
  }
}

function listingsOf(redisKey: string, group: RecordGroup, pairs: readonly string[], now: number): DriverListing[] {
  const listings: DriverListing[] = [];
  for (let place = 0; place < pairs.length; place += 2) {
    const field = pairs[place] ?? "";
    const partition = Number(field);
    // A field that is no partition is nobody's record; what wrote it may keep it.
    if (String(partition) !== field || !Number.isSafeInteger(partition) || partition < 0) continue;
    const key: OffsetKey = { ...group, partition };
    try {
      const visible = visibleAt(decodeRecord(redisKey, field, pairs[place + 1] ?? ""), now);
      if (visible !== undefined) listings.push({ status: "found", record: toOffsetRecord(key, visible) });
    } catch (error) {
      listings.push({ status: "failed", key, error });
    }
  }
  return listings;
}
