import type {
  ClaimEntry,
  CommitEntry,
  DeleteSelector,
  ExpireEntry,
  OffsetFilter,
  OffsetKey,
  ResetEntry,
  StoreCapabilities,
} from "@tidemark/core";
import {
  type DriverClaimOutcome,
  type DriverCommitContext,
  type DriverCommitOutcome,
  type DriverContext,
  type DriverExpireOutcome,
  type DriverFailure,
  type DriverFetchOutcome,
  type DriverListing,
  type DriverResetOutcome,
  type ErrorClassification,
  type OffsetStoreDriver,
  toOffsetRecord,
  visibleAt,
} from "@tidemark/core/driver";
import type { WaitCommand } from "./acknowledgement.ts";
import {
  claimArgs,
  commitArgs,
  commitOutcome,
  expireArgs,
  expireOutcome,
  resetArgs,
  resetOutcome,
} from "./entry-encoding.ts";
import { byGroup, type RecordGroup, RedisKeys } from "./keys.ts";
import { decodeRecord, foreignKey, UnreadableRecordError, unreadableField } from "./record-encoding.ts";
import { RecordDeletion } from "./record-deletion.ts";
import { RecordIndex } from "./record-index.ts";
import { RecordListing } from "./record-listing.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { classifyRedisError, isWrongType } from "./redis-errors.ts";
import { commitInTransaction, type RedisTransaction } from "./redis-transaction.ts";
import { runScript } from "./run-script.ts";
import { CLAIM } from "./scripts/claim.ts";
import { COMMIT } from "./scripts/commit.ts";
import { EXPIRE } from "./scripts/expire.ts";
import { FETCH } from "./scripts/read.ts";
import { RESET } from "./scripts/reset.ts";
import type { Script } from "./scripts/script.ts";

/** What a driver is made from. */
export interface RedisDriverOptions {
  readonly connection: RedisConnection;
  readonly namespace: string;
  readonly keyPrefix: string;
  /** What to wait for after each write, if anything. */
  readonly wait: WaitCommand | undefined;
  /** Closes what the store has opened itself. */
  close(): Promise<void>;
}

/**
 * The driver over one client. A call is one script for each (consumer, topic) in it, all of them at once; the script
 * reads, decides and writes in one step of the server, by the server's clock (contract 3.1, 3.5).
 */
export class RedisDriver implements OffsetStoreDriver<RedisTransaction> {
  readonly name = "redis";
  readonly capabilities: StoreCapabilities;
  readonly close: () => Promise<void>;
  readonly #connection: RedisConnection;
  readonly #wait: WaitCommand | undefined;
  readonly #keys: RedisKeys;
  readonly #index: RecordIndex;
  readonly #listing: RecordListing;
  readonly #deletion: RecordDeletion;

  constructor({ connection, namespace, keyPrefix, wait, close }: RedisDriverOptions) {
    this.#connection = connection;
    this.#wait = wait;
    this.#keys = new RedisKeys(keyPrefix, namespace);
    this.#index = new RecordIndex(connection, this.#keys);
    this.#listing = new RecordListing(connection, this.#keys, this.#index);
    const write = this.#write.bind(this);
    this.#deletion = new RecordDeletion({ keys: this.#keys, index: this.#index, listing: this.#listing, write });
    this.close = async () => {
      await connection.release?.();
      await close();
    };
    this.capabilities = Object.freeze({
      atomicBatch: false,
      transactions: connection.kind !== "cluster",
      durability: "async",
      expiry: Object.freeze({ reclaim: "native", granularityMs: 1 }),
      maxBatch: 1_000,
    });
  }

  async claim(entries: readonly ClaimEntry[], { signal }: DriverContext): Promise<readonly DriverClaimOutcome[]> {
    await this.#announce(entries, signal);
    return this.#perGroup<ClaimEntry, DriverClaimOutcome>(entries, async (redisKey, part) => {
      const found = (await this.#write(CLAIM, redisKey, claimArgs(part), signal)) as unknown[];
      return part.map(({ key }, place) => {
        const reply = found[place];
        if (typeof reply === "string") {
          const record = toOffsetRecord(key, decodeRecord(redisKey, String(key.partition), reply));
          return { status: "claimed", record };
        }
        if (reply === null) return { status: "claimed", record: undefined };
        return { status: "failed", error: unreadableField(redisKey, String(key.partition), versionOf(reply)) };
      });
    });
  }

  async commit(
    entries: readonly CommitEntry[],
    { signal, transaction }: DriverCommitContext<RedisTransaction>,
  ): Promise<readonly DriverCommitOutcome[]> {
    if (transaction !== undefined) return commitInTransaction(transaction, entries, this.#keys, signal);
    const recreated = entries.filter(({ recreate }) => recreate === true);
    if (recreated.length > 0) await this.#announce(recreated, signal);
    return this.#perGroup<CommitEntry, DriverCommitOutcome>(entries, async (redisKey, part) => {
      const reply = await this.#write(COMMIT, redisKey, commitArgs(part), signal);
      return part.map(({ key }, place) => commitOutcome(redisKey, key, reply === 1 ? 1 : (reply as unknown[])[place]));
    });
  }

  fetch(keys: readonly OffsetKey[], { signal }: DriverContext): Promise<readonly DriverFetchOutcome[]> {
    const entries = keys.map((key) => ({ key }));
    return this.#perGroup<{ readonly key: OffsetKey }, DriverFetchOutcome>(entries, async (redisKey, part) => {
      const fields = part.map(({ key }) => String(key.partition));
      const send = (key: string, args: string[]) => this.#connection.send(key, args, signal);
      const [now, values] = (await runScript(send, FETCH, [redisKey], fields)) as [string, (string | null)[]];
      return part.map(({ key }, place) => {
        const value = values[place];
        if (value === null || value === undefined) return { status: "absent" };
        return readable<DriverFetchOutcome>(() => {
          const visible = visibleAt(decodeRecord(redisKey, String(key.partition), value), Number(now));
          return visible === undefined
            ? { status: "absent" }
            : { status: "found", record: toOffsetRecord(key, visible) };
        });
      });
    });
  }

  list(filter: OffsetFilter, { signal }: DriverContext): AsyncIterable<readonly DriverListing[]> {
    return this.#listing.pages(filter, signal);
  }

  async reset(entries: readonly ResetEntry[], { signal }: DriverContext): Promise<readonly DriverResetOutcome[]> {
    await this.#announce(entries, signal);
    return this.#perGroup<ResetEntry, DriverResetOutcome>(entries, async (redisKey, part) => {
      const replies = (await this.#write(RESET, redisKey, resetArgs(part), signal)) as unknown[];
      return part.map(({ key }, place) => resetOutcome(redisKey, key, replies[place]));
    });
  }

  expire(entries: readonly ExpireEntry[], { signal }: DriverContext): Promise<readonly DriverExpireOutcome[]> {
    return this.#perGroup<ExpireEntry, DriverExpireOutcome>(entries, async (redisKey, part) => {
      const replies = (await this.#write(EXPIRE, redisKey, expireArgs(part), signal)) as unknown[];
      return part.map(({ key }, place) => expireOutcome(redisKey, key, replies[place]));
    });
  }

  delete(selector: DeleteSelector, { signal }: DriverContext): Promise<readonly OffsetKey[]> {
    return this.#deletion.delete(selector, signal);
  }

  classify(error: unknown): ErrorClassification {
    return classifyRedisError(error);
  }

  /** Before any record is written: a record that no listing finds would be lost to the operator. */
  async #announce(entries: readonly { readonly key: OffsetKey }[], signal: AbortSignal): Promise<void> {
    const groups = byGroup(entries, ({ key }) => key).map(({ group }) => group);
    const suspects = await this.#index.announce(groups, signal);
    // Tidying up is nobody's business who came to claim.
    if (suspects.length > 0) await this.#listing.pruneSuspects(suspects, signal).catch(() => undefined);
  }

  /** Runs a script that writes, and waits for its acknowledgement where one is asked for. */
  async #write(script: Script, redisKey: string, args: readonly string[], signal: AbortSignal): Promise<unknown> {
    if (this.#wait === undefined) {
      return runScript((key, command) => this.#connection.send(key, command, signal), script, [redisKey], args);
    }
    const { reply, following } = await this.#connection.sendFollowed(
      redisKey,
      (send) => runScript(send, script, [redisKey], args),
      this.#wait.args,
      signal,
    );
    this.#wait.check(following);
    return reply;
  }

  /** Answers each group by itself, all at once. Rejects if none was answered. */
  async #perGroup<Entry extends { readonly key: OffsetKey }, Outcome>(
    entries: readonly Entry[],
    answer: (
      redisKey: string,
      part: readonly Entry[],
      group: RecordGroup,
    ) => Promise<readonly (Outcome | DriverFailure)[]>,
  ): Promise<readonly (Outcome | DriverFailure)[]> {
    const groups = byGroup(entries, ({ key }) => key);
    let failure: { readonly error: unknown } | undefined;
    let anyAnswer = groups.length === 0;
    const outcomes: (Outcome | DriverFailure)[] = [];
    await Promise.all(
      groups.map(async ({ group, entries: part, places }) => {
        const redisKey = this.#keys.group(group);
        let answers: readonly (Outcome | DriverFailure)[];
        try {
          answers = await answer(redisKey, part, group);
          anyAnswer = true;
        } catch (thrown) {
          const foreign = isWrongType(thrown);
          // That a key is no hash is an answer about it; anything else may be about the server.
          if (foreign) anyAnswer = true;
          const error = foreign ? foreignKey(redisKey) : thrown;
          failure ??= { error };
          answers = part.map(() => ({ status: "failed", error }));
        }
        answers.forEach((outcome, place) => {
          outcomes[places[place] ?? 0] = outcome;
        });
      }),
    );
    if (failure !== undefined && !anyAnswer) throw failure.error;
    return outcomes;
  }
}

function versionOf(reply: unknown): string {
  return Array.isArray(reply) ? String(reply[1] ?? "") : "";
}

function readable<Outcome>(read: () => Outcome): Outcome | DriverFailure {
  try {
    return read();
  } catch (error) {
    if (error instanceof UnreadableRecordError) return { status: "failed", error };
    throw error;
  }
}
