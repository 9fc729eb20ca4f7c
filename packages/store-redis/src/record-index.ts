import type { Change, DriverKey, ListFilter } from "@tidemark/core/driver";
import { fieldOf, type HashName, type HashPart, type RedisKeys } from "./keys.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { runScript } from "./run-script.ts";
import { PRUNE } from "./scripts.ts";

const PAGE = 1_000;
/** How long steady writes leave the index alone. */
const TRUSTED_MS = 60_000;
/** One creation in so many looks at so many names. Names of one run each are forgotten faster than new ones come. */
const CREATIONS_PER_LOOK = 16;
const SUSPECTS = 32;

/**
 * The names of all records in a namespace, in one sorted set. It may name too many, never too few: what is created is entered
 * in the same step, and a name goes only in the step that finds its field gone.
 */
export class RecordIndex {
  readonly #connection: RedisConnection;
  readonly #keys: RedisKeys;
  #creations = 0;

  constructor(connection: RedisConnection, keys: RedisKeys) {
    this.#connection = connection;
    this.#keys = keys;
  }

  /** The keys that a filter matches, in the order of names: a page continues where the last ended, after any change. */
  async *pages(
    { partition, ...filter }: ListFilter,
    signal: AbortSignal,
  ): AsyncGenerator<DriverKey[], void, undefined> {
    const { consumer, topic, kind } = filter;
    if (kind === "position" && consumer !== undefined && topic !== undefined && partition !== undefined) {
      yield [{ consumer, topic, partition }];
      return;
    }
    const [first, to] = this.#keys.range(filter);
    for (let from = first; ;) {
      const names = await this.#names(["ZRANGEBYLEX", this.#keys.index, from, to, "LIMIT", "0", String(PAGE)], signal);
      const keys = this.#parse(names).filter(
        (key) => (topic ?? key.topic) === key.topic && (partition === undefined || isPartition(key, partition)),
      );
      if (keys.length > 0) yield keys;
      const last = names.at(-1);
      if (last === undefined || names.length < PAGE) return;
      from = `(${last}`;
    }
  }

  /** Whether a steady write of the hash is to name the index too, which puts right what was lost of it. */
  isDue({ indexedAt }: HashName): boolean {
    return performance.now() - indexedAt > TRUSTED_MS;
  }

  /** Takes down that records were written and entered. */
  entered(parts: readonly HashPart<Change>[], signal: AbortSignal): void {
    const now = performance.now();
    for (const { hash, items } of parts) if (items.some(({ value }) => value !== undefined)) hash.indexedAt = now;
    const isCreated = ({ expected }: Change): boolean => expected !== "any" && expected.includes(null);
    if (!parts.some(({ items }) => items.some(isCreated))) return;
    this.#creations += 1;
    if (this.#creations % CREATIONS_PER_LOOK === 0) this.#look(signal).catch(() => undefined);
  }

  /** Takes names out whose records are not there. What fails is left for the next time. */
  async prune(gone: readonly DriverKey[], signal: AbortSignal): Promise<void> {
    const pruned = this.#keys
      .parts(gone, (key) => key)
      .map(({ hash, items }) => {
        const send = (args: string[]): Promise<unknown> => this.#connection.send(hash.redisKey, args, signal);
        const fields = items.map((key) => fieldOf(key));
        return runScript(send, PRUNE, [hash.redisKey, this.#keys.index], [hash.name, ...fields]);
      });
    await Promise.allSettled(pruned);
  }

  async #look(signal: AbortSignal): Promise<void> {
    const names = await this.#names(["ZRANDMEMBER", this.#keys.index, String(SUSPECTS)], signal);
    await this.prune(this.#parse(names), signal);
  }

  #parse(names: readonly string[]): DriverKey[] {
    return names.flatMap((name) => this.#keys.parse(name) ?? []);
  }

  async #names(args: string[], signal: AbortSignal): Promise<string[]> {
    return (await this.#connection.send(this.#keys.index, args, signal)) as string[];
  }
}

function isPartition(key: DriverKey, partition: number): boolean {
  return "partition" in key && key.partition === partition;
}
