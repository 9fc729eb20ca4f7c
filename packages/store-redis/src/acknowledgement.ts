import { validateWholeNumber } from "@tidemark/core/driver";

/** How many must have a write before it counts as written. */
export interface RedisAcknowledgement {
  /** Replicas that have it in memory (`WAIT`), or with `appendOnlyFile` on disk (`WAITAOF`). Default 0. */
  readonly replicas?: number | undefined;
  /** Whether it must be in the master's append-only file, with fsync. Needs Redis 7.2 or Valkey, and `appendonly yes`. */
  readonly appendOnlyFile?: boolean | undefined;
  /**
   * Milliseconds to wait for them; less than the store's `timeout`. Default 1,000, and 3,000 with `appendOnlyFile`, but at most
   * half of the store's `timeout`.
   */
  readonly timeout?: number | undefined;
}

const REPLICATION_MS = 1_000;
/** With `appendfsync everysec`, Redis' default, fsync comes up to a second after the write, and up to two on a busy disk. */
const FSYNC_MS = 3_000;

/** The write was done, but fewer have it than were asked for. */
export class NotAcknowledgedError extends Error {
  override readonly name = "NotAcknowledgedError";
  /** Whether the same call writes again, and waits again. One that removed finds nothing to remove. */
  readonly isRepeatable: boolean;

  constructor(message: string, isRepeatable: boolean) {
    super(message);
    this.isRepeatable = isRepeatable;
  }
}

/** The command that waits, and what its answer must be. */
export interface WaitCommand {
  readonly args: string[];
  readonly usesAppendOnlyFile: boolean;
  /**
   * Throws where the answer is too few. `undefined`: the connection broke in between.
   *
   * @param isRepeatable Whether the call can be repeated.
   */
  check(answer: unknown, isRepeatable: boolean): void;
}

/**
 * Checks the option and makes the command of it; `undefined` if there is nothing to wait for.
 *
 * @throws TypeError or RangeError
 */
export function waitCommand(asked: RedisAcknowledgement | undefined, storeTimeout: number): WaitCommand | undefined {
  if (asked === undefined) return undefined;
  if (typeof asked !== "object" || asked === null)
    throw new TypeError("acknowledge must be an object, such as { replicas: 1 } or { appendOnlyFile: true }");
  const { replicas = 0, appendOnlyFile = false } = asked;
  const { timeout = Math.min(appendOnlyFile ? FSYNC_MS : REPLICATION_MS, Math.ceil(storeTimeout / 2)) } = asked;
  validateWholeNumber("acknowledge.replicas", replicas, 0, 1_000);
  validateWholeNumber("acknowledge.timeout", timeout, 1, storeTimeout);
  if (typeof appendOnlyFile !== "boolean") throw new TypeError("acknowledge.appendOnlyFile must be a boolean");
  if (replicas === 0 && !appendOnlyFile) return undefined;
  const wanted = `${appendOnlyFile ? "the master's append-only file and " : ""}${replicas} ${replicas === 1 ? "replica" : "replicas"}`;
  return {
    args: appendOnlyFile
      ? ["WAITAOF", "1", String(replicas), String(timeout)]
      : ["WAIT", String(replicas), String(timeout)],
    usesAppendOnlyFile: appendOnlyFile,
    check(answer, isRepeatable) {
      const [local, remote] = (Array.isArray(answer) ? answer : [1, answer]).map(Number);
      if (answer !== undefined && (local ?? 0) >= 1 && (remote ?? 0) >= replicas) return;
      const got =
        answer === undefined
          ? "the connection was lost"
          : `${remote} ${remote === 1 ? "replica has" : "replicas have"} it`;
      throw new NotAcknowledgedError(
        `the write was applied, but was not acknowledged by ${wanted} within ${timeout} ms (${got})${isRepeatable ? "; it is safe to retry" : ""}`,
        isRepeatable,
      );
    },
  };
}
