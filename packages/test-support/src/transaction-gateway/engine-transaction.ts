import { type Document, deserialize, serialize } from "bson";
import { DatabaseError, type Pool, type PoolClient } from "pg";

import { CommandError, errorOfState, stateOfNumber } from "./command-error.ts";
import type { Command } from "./wire-message.ts";

const BSON = "bytea::documentdb_core.bson";
const WRITTEN = "p_result::bytea AS reply, p_success AS done";
const READ = "cursorpage::bytea AS reply, continuation::bytea";

/** The engine's own function for each command: of those that MongoDB allows in a transaction, what is needed here. */
const STATEMENTS: Readonly<Record<string, string>> = {
  insert: `SELECT ${WRITTEN} FROM documentdb_api.insert($1, $2::${BSON}, $3::bytea::documentdb_core.bsonsequence)`,
  update: `SELECT ${WRITTEN} FROM documentdb_api.update($1, $2::${BSON}, $3::bytea::documentdb_core.bsonsequence)`,
  delete: `SELECT ${WRITTEN} FROM documentdb_api.delete($1, $2::${BSON}, $3::bytea::documentdb_core.bsonsequence)`,
  findAndModify: `SELECT ${WRITTEN} FROM documentdb_api.find_and_modify($1, $2::${BSON})`,
  find: `SELECT ${READ}, cursorid::text FROM documentdb_api.find_cursor_first_page($1, $2::${BSON})`,
  aggregate: `SELECT ${READ}, cursorid::text FROM documentdb_api.aggregate_cursor_first_page($1, $2::${BSON})`,
  getMore: `SELECT ${READ} FROM documentdb_api.cursor_get_more($1, $2::${BSON}, $3::${BSON})`,
};

const SEQUENCE_NAMES: Readonly<Record<string, string>> = { insert: "documents", update: "updates", delete: "deletes" };

interface EngineAnswer {
  readonly reply: Buffer;
  /** Of writes: false if one of them failed; `reply` says which. */
  readonly done?: boolean;
  readonly continuation?: Buffer | null;
  readonly cursorid?: string;
}

/** What a command came to. After a failed one the transaction can only be rolled back. */
export interface CommandAnswer {
  readonly reply: Uint8Array;
  readonly failed: boolean;
}

/** One transaction of the engine, on a connection of its own. */
export class EngineTransaction {
  readonly #client: PoolClient;
  readonly #continuations = new Map<string, Buffer>();
  #lost: Error | undefined;

  private constructor(client: PoolClient) {
    this.#client = client;
    client.on("error", this.#onError);
  }

  /** Begins one. */
  static async begin(pool: Pool): Promise<EngineTransaction> {
    const transaction = new EngineTransaction(await pool.connect());
    // One snapshot for all reads, as in MongoDB.
    await transaction.#query("BEGIN ISOLATION LEVEL REPEATABLE READ");
    return transaction;
  }

  /**
   * Carries a command out and gives the engine's reply.
   *
   * @throws CommandError if it failed as a whole.
   */
  async run({ name, body, sequences }: Command): Promise<CommandAnswer> {
    const fields = deserialize(body, { useBigInt64: true });
    if (name === "killCursors") return { reply: serialize(this.#killCursors(fields)), failed: false };
    const [statement, sequenceName] = [STATEMENTS[name], SEQUENCE_NAMES[name]];
    if (statement === undefined || [...sequences.keys()].some((key) => key !== sequenceName)) {
      throw new CommandError("OperationNotSupportedInTransaction", `the gateway has no ${name} in a transaction`);
    }
    const cursorId = name === "getMore" ? String(fields["getMore"]) : undefined;
    const continuation = this.#continuations.get(cursorId ?? "");
    if (cursorId !== undefined && continuation === undefined) {
      throw new CommandError("CursorNotFound", `the transaction has no cursor ${cursorId}`);
    }
    const parameters = [fields["$db"], body];
    if (sequenceName !== undefined) parameters.push(sequences.get(sequenceName) ?? null);
    if (continuation !== undefined) parameters.push(continuation);
    const answer = await this.#query(statement, parameters);
    const openCursorId = cursorId ?? answer.cursorid;
    if (openCursorId !== undefined) {
      if (answer.continuation) this.#continuations.set(openCursorId, answer.continuation);
      else this.#continuations.delete(openCursorId);
    }
    return answer.done === false
      ? { reply: serialize(failedWrites(answer.reply)), failed: true }
      : { reply: answer.reply, failed: false };
  }

  /**
   * Commits.
   *
   * @throws CommandError if the engine has rolled back instead; any other error leaves it open which of the two happened.
   */
  async commit(): Promise<void> {
    if (this.#lost !== undefined)
      return this.rollback().then(() => Promise.reject(noSuchTransaction("its engine was lost")));
    try {
      const { command } = await this.#client.query("COMMIT");
      // PostgreSQL answers COMMIT of a failed transaction with ROLLBACK, and no error.
      if (command !== "COMMIT") throw noSuchTransaction("it had failed before");
    } catch (error) {
      if (error instanceof DatabaseError && error.severity === "ERROR") throw noSuchTransaction(error.message);
      if (!(error instanceof CommandError)) this.#lost ??= error as Error;
      throw error;
    } finally {
      this.#release();
    }
  }

  /** Rolls back. If the connection is gone, the engine has done so by itself. */
  async rollback(): Promise<void> {
    await this.#client.query("ROLLBACK").catch(this.#onError);
    this.#release();
  }

  readonly #onError = (error: Error): void => {
    this.#lost ??= error;
  };

  #release(): void {
    this.#client.off("error", this.#onError);
    this.#client.release(this.#lost);
  }

  async #query(statement: string, parameters: unknown[] = []): Promise<EngineAnswer> {
    try {
      const { rows } = await this.#client.query<EngineAnswer>(statement, parameters);
      return rows[0] ?? { reply: Buffer.alloc(0) };
    } catch (error) {
      if (error instanceof DatabaseError && error.severity === "ERROR")
        throw errorOfState(error.code ?? "", error.message);
      // The connection is gone, and what was not committed with it.
      throw noSuchTransaction((error as Error).message);
    }
  }

  #killCursors(fields: Document): Document {
    const cursors = fields["cursors"] as bigint[];
    const cursorsKilled = cursors.filter((cursor) => this.#continuations.delete(String(cursor)));
    const cursorsNotFound = cursors.filter((cursor) => !cursorsKilled.includes(cursor));
    return { cursorsKilled, cursorsNotFound, cursorsAlive: [], cursorsUnknown: [], ok: 1 };
  }
}

/** The error of a transaction that is over, or never was. */
export function noSuchTransaction(why: string): CommandError {
  return new CommandError("NoSuchTransaction", `there is no such transaction in progress: ${why}`);
}

/** The reply with MongoDB's numbers for the writes that failed. A conflict fails the command as a whole, as in MongoDB. */
function failedWrites(reply: Buffer): Document {
  const document = deserialize(reply, { promoteValues: false });
  const failures = (document["writeErrors"] ?? []) as { code: { valueOf(): number }; errmsg: string }[];
  const writeErrors = failures.map((failure) => {
    const error = errorOfState(stateOfNumber(failure.code.valueOf()), failure.errmsg);
    if (error.codeName === "WriteConflict") throw error;
    return { ...failure, code: error.code, errmsg: error.message };
  });
  return { ...document, writeErrors };
}
