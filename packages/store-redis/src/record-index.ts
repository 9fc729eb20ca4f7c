import type { OffsetFilter } from "@tidemark/core";
import { groupMatches, type RecordGroup, type RedisKeys } from "./keys.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { runScript } from "./run-script.ts";
import { ANNOUNCE, PAGE, PRUNE } from "./scripts/index-scripts.ts";

/** How many groups are looked at together. */
const PAGE_GROUPS = 64;

/** A group that the index names. It need not be there: the index is written first, and a hash may expire by itself. */
export interface IndexedGroup {
  readonly group: RecordGroup;
  readonly member: string;
  /** When it was last claimed, as the index says it. */
  readonly claimed: string;
}

/**
 * Knows which groups a namespace may have, so that a listing costs what it gives, however many keys others have in the
 * database. It may name too many, never too few: what is claimed is entered before its record is written, and an entry is
 * removed only when its group is gone and nobody can be about to write it.
 */
export class RecordIndex {
  readonly #connection: RedisConnection;
  readonly #keys: RedisKeys;

  constructor(connection: RedisConnection, keys: RedisKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** Enters groups whose records are about to be written. Gives a few old entries that may be dead. */
  async announce(groups: readonly RecordGroup[], signal: AbortSignal): Promise<IndexedGroup[]> {
    const members = groups.map((group) => this.#keys.member(group));
    return this.#parse(await this.#run(ANNOUNCE, members, signal));
  }

  /** Gives all groups that a filter may match, some at a time, in the order of their names. */
  async *pages(filter: OffsetFilter, signal: AbortSignal): AsyncGenerator<IndexedGroup[], void, undefined> {
    const { consumer, topic } = filter;
    if (consumer !== undefined && topic !== undefined) {
      const group = { consumer, topic };
      yield [{ group, member: this.#keys.member(group), claimed: "unread" }];
      return;
    }
    const prefix = consumer === undefined ? undefined : this.#keys.memberPrefix(consumer);
    // "0" follows "/" among the bytes.
    const upper = prefix === undefined ? "+" : `(${prefix.slice(0, -1)}0`;
    let lower = prefix === undefined ? "-" : `[${prefix}`;
    for (;;) {
      const page = (await this.#run(PAGE, [lower, upper, String(PAGE_GROUPS)], signal)) as [string, string][];
      const groups = this.#parse(page).filter(({ group }) => groupMatches(filter, group));
      if (groups.length > 0) yield groups;
      const last = page.at(-1);
      if (last === undefined || page.length < PAGE_GROUPS) return;
      lower = `(${last[0]}`;
    }
  }

  /** Removes the entries of groups that were seen to be gone, unless they were claimed since or not long ago. */
  async prune(gone: readonly IndexedGroup[], signal: AbortSignal): Promise<void> {
    if (gone.length === 0) return;
    const args = gone.flatMap(({ member, claimed }) => [member, claimed]);
    await this.#run(PRUNE, args, signal);
  }

  #run(...[script, args, signal]: [typeof PAGE, readonly string[], AbortSignal]): Promise<unknown> {
    return runScript((key, command) => this.#connection.send(key, command, signal), script, this.#keys.index, args);
  }

  #parse(reply: unknown): IndexedGroup[] {
    return (reply as [string, string][]).flatMap(([member, claimed]) => {
      const group = this.#keys.parseMember(member);
      return group === undefined ? [] : [{ group, member, claimed }];
    });
  }
}
