import { type CommitEntry, formatKey, OffsetStoreError } from "@tidemark/core";
import {
  type CommitTransition,
  commitTransition,
  type DriverCommitOutcome,
  type StoredOffset,
  visibleAt,
} from "@tidemark/core/driver";
import { byGroup, type RedisKeys } from "./keys.ts";
import { decodeRecord, encodeRecord, foreignKey } from "./record-encoding.ts";
import type { RedisCommandOptions } from "./redis-client.ts";
import { isWrongType } from "./redis-errors.ts";
import { WRITE_DECIDED } from "./scripts/write-decided.ts";
import { ANNOUNCE } from "./scripts/index-scripts.ts";
import { FETCH } from "./scripts/read.ts";

/** What a transaction needs of the commands that are sent together. */
export interface RedisMulti {
  exec(): Promise<unknown>;
}

/**
 * A connection of its own: `await client.duplicate().connect()`, or what a Sentinel client's `acquire()` lends. Nothing
 * else may use it while a transaction is open: WATCH belongs to the connection.
 */
export interface RedisTransactionConnection<Multi extends RedisMulti = RedisMulti> {
  watch(keys: string[]): Promise<unknown>;
  unwatch(): Promise<unknown>;
  multi(): Multi;
}

/** The caller's own writes and positions, sent to the server together, or not at all. Made by `beginRedisTransaction`. */
export interface RedisTransaction<Multi extends RedisMulti = RedisMulti> {
  /** Takes the caller's commands: `transaction.multi.set("balance", "99")`. Do not call its `exec`. */
  readonly multi: Multi;
  /**
   * Sends everything. Rejects with an `OffsetStoreError` of code `CONFLICT` (retryable: begin anew) if a position's record
   * changed since it was looked at: then nothing is written.
   */
  commit(): Promise<void>;
  /** Forgets everything; nothing was sent. */
  rollback(): Promise<void>;
}

interface OpenState {
  readonly connection: RedisTransactionConnection;
  readonly send: (args: string[], signal: AbortSignal) => Promise<unknown>;
  readonly queue: (args: string[]) => void;
  /** What is queued already, by hash and field: a second commit of the same key goes on from there. */
  readonly queued: Map<string, StoredOffset>;
  isOver: boolean;
}

const states = new WeakMap<object, OpenState>();

/**
 * Begins a transaction on a connection of its own. Redis has no rollback: what it offers is that commands are sent
 * together, and only if what was looked at before is unchanged. A command that fails by itself (a wrong type) does not
 * undo the others.
 */
export function beginRedisTransaction<Multi extends RedisMulti>(
  connection: RedisTransactionConnection<Multi>,
): RedisTransaction<Multi> {
  const { _keyPrefix: prefix } = connection as { _keyPrefix?: unknown };
  if (prefix !== undefined && prefix !== "") {
    throw new TypeError("the connection of a transaction must have no keyPrefix: duplicate the client without it");
  }
  const multi = connection.multi();
  // A Sentinel's lease, and its multi, take first whether a replica would do.
  const isLease = "release" in connection;
  const sender = connection as unknown as { sendCommand(...args: unknown[]): Promise<unknown> };
  const collector = multi as unknown as { addCommand(...args: unknown[]): unknown };
  const before = isLease ? [false] : [];
  const state: OpenState = {
    connection,
    send(args, signal) {
      const options: RedisCommandOptions = { abortSignal: signal, typeMapping: {}, timeout: 0 };
      return sender.sendCommand(...before, args, options);
    },
    queue: (args) => void collector.addCommand(...before, args),
    queued: new Map(),
    isOver: false,
  };
  const transaction: RedisTransaction<Multi> = {
    multi,
    async commit() {
      end(state);
      try {
        await multi.exec();
      } catch (error) {
        if (!(error instanceof Error) || error.constructor.name !== "WatchError") throw error;
        throw new OffsetStoreError(
          "redis store: the transaction was not carried out and nothing of it is written: a record that it commits was " +
            "changed meanwhile, or the connection was made anew; begin another one",
          { code: "CONFLICT", operation: "commit", store: "redis", retryable: true, cause: error },
        );
      }
    },
    async rollback() {
      end(state);
      await connection.unwatch();
    },
  };
  states.set(transaction, state);
  return transaction;
}

/** Looks at the records, decides, and queues the writes; nothing of one refused entry's batch is queued. */
export async function commitInTransaction(
  transaction: RedisTransaction,
  entries: readonly CommitEntry[],
  keys: RedisKeys,
  signal: AbortSignal,
): Promise<readonly DriverCommitOutcome[]> {
  const state = states.get(transaction);
  if (state === undefined) throw new TypeError("transaction must be what beginRedisTransaction gave");
  refuseIfOver(state);
  const groups = byGroup(entries, ({ key }) => key).map((part) => ({ ...part, redisKey: keys.group(part.group) }));
  // First watched, then read: whatever changes from here on, the server finds it before it writes anything.
  await state.connection.watch(groups.map(({ redisKey }) => redisKey));
  const outcomes: DriverCommitOutcome[] = [];
  const writes: { readonly redisKey: string; readonly entry: CommitEntry; readonly stored: StoredOffset }[] = [];
  let refused = false;
  for (const { redisKey, entries: part, places } of groups) {
    const decided = await decide(state, redisKey, part, signal);
    decided.forEach(({ entry, transition }, place) => {
      const { refusal, write } = transition;
      refused ||= refusal !== undefined;
      outcomes[places[place] ?? 0] = refusal ?? { status: "committed" };
      if (write !== undefined) writes.push({ redisKey, entry, stored: write });
    });
  }
  refuseIfOver(state);
  signal.throwIfAborted();
  if (refused) return outcomes;
  const members = groups.map(({ group }) => keys.member(group));
  if (entries.some(({ recreate }) => recreate === true)) {
    const [names, claimed] = keys.index;
    const { source } = ANNOUNCE;
    await state.send(["EVAL", source, "2", names, claimed, ...members], signal);
  }
  for (const { redisKey, entry, stored } of writes) {
    const field = String(entry.key.partition);
    state.queued.set(`${field} ${redisKey}`, stored);
    const args = [field, encodeRecord(stored), stored.expiresAt?.toString() ?? ""];
    // By its source: inside of MULTI nobody could answer that the script is not known.
    state.queue(["EVAL", WRITE_DECIDED.source, "1", redisKey, ...args]);
  }
  return outcomes;
}

async function decide(
  state: OpenState,
  redisKey: string,
  part: readonly CommitEntry[],
  signal: AbortSignal,
): Promise<{ readonly entry: CommitEntry; readonly transition: CommitTransition }[]> {
  const fields = part.map(({ key }) => String(key.partition));
  let reply: [string, (string | null)[]];
  try {
    reply = (await state.send(["EVAL", FETCH.source, "1", redisKey, ...fields], signal)) as typeof reply;
  } catch (error) {
    throw isWrongType(error) ? corrupt(part, foreignKey(redisKey)) : error;
  }
  const [now, values] = reply;
  return part.map((entry, place) => {
    const field = fields[place] ?? "";
    const value = values[place];
    try {
      const stored =
        state.queued.get(`${field} ${redisKey}`) ??
        (value === null || value === undefined ? undefined : decodeRecord(redisKey, field, value));
      return { entry, transition: commitTransition(entry.key, visibleAt(stored, Number(now)), entry, Number(now)) };
    } catch (error) {
      throw corrupt([entry], error as Error);
    }
  });
}

function corrupt(entries: readonly CommitEntry[], cause: Error): OffsetStoreError {
  const keys = entries.map(({ key }) => key);
  const [first] = keys;
  const about = first === undefined ? "" : ` for ${formatKey(first)}`;
  return new OffsetStoreError(`redis store: commit${about} failed: ${cause.message}`, {
    code: "CORRUPT_RECORD",
    operation: "commit",
    store: "redis",
    keys,
    cause,
  });
}

function end(state: OpenState): void {
  refuseIfOver(state);
  state.isOver = true;
}

function refuseIfOver(state: OpenState): void {
  if (!state.isOver) return;
  throw new OffsetStoreError("redis store: the transaction is over; begin another one", {
    code: "UNKNOWN",
    operation: "commit",
    store: "redis",
    retryable: false,
  });
}
