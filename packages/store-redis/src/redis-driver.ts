import type { StoreCapabilities } from "@tidemark/core";
import type {
  Change,
  ChangeAnswer,
  DriverContext,
  DriverKey,
  ErrorClassification,
  ListFilter,
  ListPage,
  OffsetStoreDriver,
  ReadAnswer,
  ReadEntry,
  WriteAnswer,
  WriteContext,
} from "@tidemark/core/driver";
import type { WaitCommand } from "./acknowledgement.ts";
import { foreignKey, parseEntry, timeOf } from "./entry-text.ts";
import { fieldOf, type HashPart, RedisKeys } from "./keys.ts";
import { RecordIndex } from "./record-index.ts";
import type { RedisConnection } from "./redis-connection.ts";
import { classifyRedisError, isNoScript, isTryAgain, isWrongType, withoutArguments } from "./redis-errors.ts";
import { runScript } from "./run-script.ts";
import { READ, REFUSED, STEADY, WRITE, WRITTEN } from "./scripts.ts";
import { UnacknowledgedVersions } from "./unacknowledged-versions.ts";
import { refusals, steadyCommand, writeArguments } from "./write-arguments.ts";

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

const ALL_WRITTEN: WriteAnswer = Object.freeze({ changes: undefined });

/** The driver over one client: a write is one script, which compares and writes in one step of the server, by its clock. */
export class RedisDriver implements OffsetStoreDriver {
  readonly name = "redis";
  readonly capabilities: StoreCapabilities;
  readonly close: () => Promise<void>;
  readonly #connection: RedisConnection;
  readonly #wait: WaitCommand | undefined;
  readonly #unacknowledged = new UnacknowledgedVersions();
  readonly #keys: RedisKeys;
  readonly #index: RecordIndex;

  constructor({ connection, namespace, keyPrefix, wait, close }: RedisDriverOptions) {
    this.#connection = connection;
    this.#wait = wait;
    this.#keys = new RedisKeys(keyPrefix, namespace);
    this.#index = new RecordIndex(connection, this.#keys);
    this.close = close;
    this.capabilities = Object.freeze({
      // While a Cluster's slot moves, each hash is written by itself.
      atomicBatch: connection.kind !== "cluster",
      transactions: false,
      durability: "async",
      expiry: Object.freeze({ reclaim: "native", granularityMs: 1 }),
      maxBatch: 10_000,
    });
  }

  async read(keys: readonly DriverKey[], { signal }: Pick<DriverContext, "signal">): Promise<ReadAnswer> {
    let now = Number.POSITIVE_INFINITY;
    const entries = Array.from<ReadEntry>({ length: keys.length });
    await Promise.all(
      // Each hash by itself: that works while a slot moves.
      this.#keys
        .parts(keys, (key) => key)
        .map(async ({ hash: { redisKey }, items, places }) => {
          const send = (args: string[]): Promise<unknown> => this.#connection.send(redisKey, args, signal);
          const fields = items.map((key) => fieldOf(key));
          const reply = (await runScript(send, READ, [redisKey], fields)) as [string, (string | null)[] | null];
          const [time, values] = reply;
          now = Math.min(now, timeOf(time));
          for (const [at, place] of places.entries()) {
            if (values === null) entries[place] = { error: foreignKey(redisKey) };
            else entries[place] = this.#unacknowledged.read(parseEntry(values[at], redisKey, fields[at] ?? ""));
          }
        }),
    );
    return { now, entries };
  }

  write(changes: readonly Change[], context: WriteContext): Promise<WriteAnswer> {
    const answer = this.#wait === undefined ? this.#write(changes, context) : this.#writeAcknowledged(changes, context);
    if (this.capabilities.atomicBatch) return answer;
    return answer.then((given) => this.#writeSkipped(given, changes, context));
  }

  async *list(filter: ListFilter, { signal }: Pick<DriverContext, "signal">): AsyncGenerator<ListPage> {
    for await (const keys of this.#index.pages(filter, signal)) {
      const { now, entries } = await this.read(keys, { signal });
      const page: { key: DriverKey; entry: NonNullable<ReadEntry> }[] = [];
      const gone: DriverKey[] = [];
      for (const [at, key] of keys.entries()) {
        const entry = entries[at];
        if (entry === undefined) gone.push(key);
        else page.push({ key, entry });
      }
      if (page.length > 0) yield { now, entries: page };
      if (gone.length > 0) await this.#index.prune(gone, signal);
    }
  }

  classify(error: unknown): ErrorClassification {
    return classifyRedisError(error);
  }

  async #writeAcknowledged(changes: readonly Change[], context: WriteContext): Promise<WriteAnswer> {
    const answer = await this.#write(this.#unacknowledged.sending(changes), context);
    const hasFailure = answer.changes?.some((each) => typeof each === "object") === true;
    if (!hasFailure) this.#unacknowledged.acknowledged(changes);
    return answer;
  }

  /** Where batches are not atomic a conflict keeps no other change from being written. */
  async #writeSkipped(answer: WriteAnswer, changes: readonly Change[], context: WriteContext): Promise<WriteAnswer> {
    if (answer.changes?.includes("skipped") !== true) return answer;
    const skipped = changes.filter((_, place) => answer.changes?.[place] === "skipped");
    const rest = await this.write(skipped, context);
    const answers = (rest.changes ?? skipped.map(() => "written" as const)).values();
    return {
      // What was written before has another time.
      writtenAt: answer.changes.includes("written") ? undefined : rest.writtenAt,
      changes: answer.changes.map((each) => (each === "skipped" ? (answers.next().value ?? each) : each)),
    };
  }

  #write(changes: readonly Change[], context: WriteContext): Promise<WriteAnswer> {
    const [first] = changes;
    if (first === undefined || context.timed === true) return this.#writeAny(changes, context);
    const hash = this.#keys.hashOf(first.key);
    const command = this.#index.isDue(hash) ? undefined : steadyCommand(changes, hash);
    if (command === undefined) return this.#writeAny(changes, context);
    const sent = this.#wait === undefined ? this.#connection.sendAtOnce?.(command) : undefined;
    return (sent ?? this.#send(hash.redisKey, command, changes, context)).then(
      (reply) => (reply === WRITTEN ? ALL_WRITTEN : this.#refused(reply, changes)),
      (error: unknown) => this.#steadyFailed(error, command, changes, context),
    );
  }

  async #steadyFailed(
    error: unknown,
    [, , ...args]: string[],
    changes: readonly Change[],
    context: WriteContext,
  ): Promise<WriteAnswer> {
    // It is no hash: the other script says so.
    if (isWrongType(error)) return this.#writeAny(changes, context);
    if (!isNoScript(error)) throw withoutArguments(error);
    const reply = await this.#send(args[1] ?? "", ["EVAL", STEADY.source, ...args], changes, context);
    return reply === WRITTEN ? ALL_WRITTEN : this.#refused(reply, changes);
  }

  #refused(reply: unknown, changes: readonly Change[]): WriteAnswer {
    return { changes: refusals(reply, this.#partsOf(changes)) };
  }

  #partsOf(changes: readonly Change[]): HashPart<Change>[] {
    return this.#keys.parts(changes, ({ key }) => key);
  }

  async #writeAny(changes: readonly Change[], context: WriteContext): Promise<WriteAnswer> {
    const parts = this.#partsOf(changes);
    try {
      const reply = await this.#runWrite(parts, [this.#keys.index], context);
      const refused = refusals(reply, parts);
      if (refused !== undefined) return { changes: refused };
      this.#index.entered(parts, context.signal);
      return { writtenAt: timeOf(String(reply)), changes: undefined };
    } catch (error) {
      if (!isTryAgain(error)) throw error;
      return this.#writeSingly(changes, parts, context);
    }
  }

  /**
   * Writes while the slot moves and no command can name two of its keys: a key that is not there yet counts as on both nodes
   * until the last one has moved. Versions are compared as ever, with each hash by itself. The index is written
   * before, so that nothing is ever there that it does not name, and again after, because a look at the index may have come
   * in between and taken the name out. Names of what is removed are left to the next look: the record may be created again.
   */
  async #writeSingly(
    changes: readonly Change[],
    parts: readonly HashPart<Change>[],
    context: WriteContext,
  ): Promise<WriteAnswer> {
    const answers: ChangeAnswer[] = Array.from(changes, () => "written");
    let writtenAt: number | undefined;
    await Promise.all(
      parts.map(async ({ hash, items, places }) => {
        const names = items.flatMap(({ key, value }) => (value === undefined ? [] : ["0", this.#keys.nameOf(key)]));
        const { index } = this.#keys;
        const enter = async (): Promise<unknown> =>
          names.length > 0 && this.#connection.send(index, ["ZADD", index, ...names], context.signal);
        const part = { hash, items, places: items.map((_, at) => at) };
        let said: readonly ChangeAnswer[] = [];
        try {
          await enter();
          const reply = await this.#runWrite([part], [], context);
          said = refusals(reply, [part]) ?? [];
          // Of several hashes each has a time of its own.
          if (said.length === 0 && parts.length === 1) writtenAt = timeOf(String(reply));
          if (said.length === 0) await enter();
        } catch (error) {
          said = items.map(() => ({ status: "failed", error }));
        }
        for (const [at, answer] of said.entries()) answers[places[at] ?? 0] = answer;
      }),
    );
    return { writtenAt, changes: answers };
  }

  #runWrite(parts: readonly HashPart<Change>[], index: readonly string[], context: WriteContext): Promise<unknown> {
    const keys = [...parts.map(({ hash }) => hash.redisKey), ...index];
    const changes = parts.flatMap(({ items }) => items);
    return runScript((args) => this.#send(keys[0] ?? "", args, changes, context), WRITE, keys, writeArguments(parts));
  }

  /** Sends a write, and waits for its acknowledgement where one is asked for. */
  async #send(key: string, args: string[], changes: readonly Change[], { signal }: WriteContext): Promise<unknown> {
    const wait = this.#wait;
    if (wait === undefined) return this.#connection.send(key, args, signal);
    const { reply, following } = await this.#connection.sendFollowed(key, args, { args: wait.args, isWritten }, signal);
    const isRepeatable = changes.every(({ value }) => value !== undefined);
    if (isWritten(reply)) wait.check(following, isRepeatable);
    return reply;
  }
}

function isWritten(reply: unknown): boolean {
  return !(typeof reply === "string" && reply.startsWith(REFUSED));
}
