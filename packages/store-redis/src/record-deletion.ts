import type { DeleteSelector, OffsetFilter, OffsetKey } from "@tidemark/core";
import { byGroup, type RecordGroup, type RedisKeys } from "./keys.ts";
import { foreignKey } from "./record-encoding.ts";
import type { RecordIndex } from "./record-index.ts";
import type { RecordListing } from "./record-listing.ts";
import { isWrongType } from "./redis-errors.ts";
import { DELETE_FIELDS, DELETE_SCANNED } from "./scripts/delete.ts";
import type { Script } from "./scripts/script.ts";

const PART_FIELDS = "1000";

/** What deleting is done with. */
export interface RecordDeletionOptions {
  readonly keys: RedisKeys;
  readonly index: RecordIndex;
  readonly listing: RecordListing;
  /** Runs a script that writes. */
  readonly write: (script: Script, redisKey: string, args: readonly string[], signal: AbortSignal) => Promise<unknown>;
}

/** Removes records, and from the index what is gone then. */
export class RecordDeletion {
  readonly #options: RecordDeletionOptions;

  constructor(options: RecordDeletionOptions) {
    this.#options = options;
  }

  /** Removes what a selector names, and tells the keys of what anybody could see of it. */
  async delete(selector: DeleteSelector, signal: AbortSignal): Promise<OffsetKey[]> {
    if ("keys" in selector) {
      const groups = byGroup(selector.keys, (key) => key);
      const removed = await Promise.all(groups.map(({ group, entries }) => this.#fields(group, entries, signal)));
      return removed.flat();
    }
    const isExpired = "expired" in selector;
    return this.#matching(isExpired ? {} : selector, isExpired ? "expired" : "all", signal);
  }

  async #matching(filter: OffsetFilter, which: "all" | "expired", signal: AbortSignal): Promise<OffsetKey[]> {
    const { index, keys, listing } = this.#options;
    const { partition } = filter;
    const removed: OffsetKey[] = [];
    let foreign: Error | undefined;
    for await (const groups of index.pages(filter, signal)) {
      const parts = await Promise.all(
        groups.map(async ({ group }) => {
          try {
            if (partition !== undefined) return await this.#fields(group, [{ ...group, partition }], signal, true);
            return await this.#scanned(group, which, signal);
          } catch (error) {
            // The others go all the same; what is no hash is left to a deletion that names its keys.
            if (!isWrongType(error)) throw error;
            foreign = foreignKey(keys.group(group));
            return [];
          }
        }),
      );
      for (const part of parts) for (const key of part) removed.push(key);
      await listing.pruneSuspects(
        groups.filter(({ claimed }) => claimed !== "unread"),
        signal,
      );
    }
    if (foreign !== undefined) throw foreign;
    return removed;
  }

  async #fields(
    group: RecordGroup,
    entries: readonly OffsetKey[],
    signal: AbortSignal,
    onlyRecords = false,
  ): Promise<OffsetKey[]> {
    const fields = entries.map(({ partition }) => String(partition));
    const args = [onlyRecords ? "records" : "anything", ...fields];
    const redisKey = this.#options.keys.group(group);
    return toKeys(group, await this.#options.write(DELETE_FIELDS, redisKey, args, signal));
  }

  async #scanned(group: RecordGroup, which: "all" | "expired", signal: AbortSignal): Promise<OffsetKey[]> {
    const removed: OffsetKey[] = [];
    let cursor = "0";
    do {
      const args = [cursor, PART_FIELDS, which];
      const reply = await this.#options.write(DELETE_SCANNED, this.#options.keys.group(group), args, signal);
      const [next, told] = reply as [string, unknown];
      for (const key of toKeys(group, told)) removed.push(key);
      cursor = next;
    } while (cursor !== "0");
    return removed;
  }
}

function toKeys(group: RecordGroup, fields: unknown): OffsetKey[] {
  return (fields as string[]).map((field) => ({ ...group, partition: Number(field) }));
}
