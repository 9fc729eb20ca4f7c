import { describe, validateKnownOptions, validateName, validateOffset, validateSignal } from "../driver/validation.ts";
import type { OutOfRangeReason } from "../errors/offset-out-of-range-error.ts";
import { LATEST_TIMESTAMP } from "../log-source.ts";
import type { OffsetResetPolicy } from "../offset-reset-policy.ts";
import { resolveOffsetResetPolicy } from "../reset/resolve-offset-reset-policy.ts";
import { askPolicy, type OffsetChoice, type OffsetQuestion } from "./ask-policy.ts";
import type { StartPosition } from "./consumer.ts";
import { type LogBounds, lookUpBounds, lookUpTimestamps, type OffsetLookup } from "./log-bounds.ts";
import { validatePartitions } from "../session/session-options.ts";
import { type ResolvedStart, resolveStart } from "./start-position.ts";

/** What {@link whereToRead} takes. */
export interface WhereToReadOptions extends OffsetLookup {
  /** The partitions to read, each with the position that is stored for it, if one is. */
  readonly positions: readonly { readonly partition: number; readonly nextOffset?: bigint | undefined }[];
  /** Used only where no position is stored. Default: what `resetPolicy` is. */
  readonly start?: StartPosition | undefined;
  /** Used where the log no longer has the position: a policy, its name, or a module specifier. Default `earliest`. */
  readonly resetPolicy?: OffsetResetPolicy | string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Where to read a partition. */
export interface ReadPosition {
  readonly partition: number;
  readonly nextOffset: bigint;
  /**
   * Why it is not the stored position: `start` where none is stored (pass it to `session.startAt`), else why the log does not
   * have it (pass both to `session.resetTo`). Absent: it is the stored one.
   */
  readonly reason?: OutOfRangeReason | "start";
  /** The position, or the absolute start, that the log does not have. */
  readonly requested?: bigint;
  /** The first offset that the log still has. */
  readonly earliest: bigint;
  /** The offset after the log's last record. */
  readonly latest: bigint;
}

/**
 * Returns where to read, as a consumer decides it, for users of another client of the log: at the stored position while
 * the log has it, at `start` if none is stored, otherwise where the reset policy chooses. Make it durable with
 * `session.flush()` before you read.
 *
 * Wrong options are a `TypeError` or `RangeError` before the log is asked; a policy that refuses to choose, and one
 * that chooses outside of the log, reject with an `OffsetOutOfRangeError` (contract, section 6).
 */
export async function whereToRead(options: WhereToReadOptions): Promise<ReadPosition[]> {
  const { topic, listOffsets, positions, signal } = options;
  validateKnownOptions(options, ["topic", "listOffsets", "positions", "start", "resetPolicy", "signal"]);
  validateName("topic", topic);
  if (typeof listOffsets !== "function")
    throw new TypeError(`listOffsets must be a function, not ${describe(listOffsets)}`);
  validatePositions(positions);
  validateSignal(signal);
  const resetPolicy = await resolveOffsetResetPolicy(options.resetPolicy);
  const start = await resolveStart(options.start, resetPolicy);
  signal?.throwIfAborted();
  const log = { topic, listOffsets };
  const found = new Map<number, ReadPosition>();
  const fresh = positions.filter(({ nextOffset }) => nextOffset === undefined).map(({ partition }) => partition);
  for (const [partition, choice] of await startOffsets(log, start, resetPolicy, fresh, signal)) {
    if (choice instanceof Error) throw choice;
    const { nextOffset, bounds, requested } = choice;
    const lost = requested !== undefined && { requested };
    found.set(partition, { partition, nextOffset, reason: "start", ...lost, ...rangeOf(bounds) });
  }
  const stored = new Map(
    positions.flatMap(({ partition, nextOffset }) =>
      nextOffset === undefined ? [] : [[partition, nextOffset] as const],
    ),
  );
  const questions = new Map<number, OffsetQuestion & { readonly reason: OutOfRangeReason }>();
  for (const [partition, bounds] of await lookUpBounds(log, [...stored.keys()], signal)) {
    const nextOffset = stored.get(partition) ?? 0n;
    const reason = outsideOf(bounds, nextOffset);
    if (reason === undefined) found.set(partition, { partition, nextOffset, ...rangeOf(bounds) });
    else questions.set(partition, { partition, reason, requested: nextOffset, lastOffsetFetched: nextOffset });
  }
  await askPolicy(log, resetPolicy, [...questions.values()], signal, (partition, choice) => {
    if (choice instanceof Error) throw choice;
    const { nextOffset, bounds } = choice;
    const { reason, requested } = questions.get(partition) ?? {};
    const lost = reason !== undefined && requested !== undefined && { reason, requested };
    found.set(partition, { partition, nextOffset, ...lost, ...rangeOf(bounds) });
  });
  return positions.flatMap(({ partition }) => found.get(partition) ?? []);
}

function validatePositions(positions: unknown): void {
  if (!Array.isArray(positions)) throw new TypeError(`positions must be an array, not ${describe(positions)}`);
  for (const position of positions as readonly unknown[]) {
    validateKnownOptions(position, ["partition", "nextOffset"]);
    if ("nextOffset" in position && position.nextOffset !== undefined)
      validateOffset("nextOffset", position.nextOffset);
  }
  if (positions.length > 0) validatePartitions(positions.map(({ partition }: { partition: unknown }) => partition));
}

/** A start's choice for one partition; `requested` is an absolute start that the log does not have. */
export type StartChoice = (OffsetChoice & { readonly requested?: bigint }) | Error;

/**
 * Resolves where partitions without a stored position begin, against the log's bounds (contract 5.16): relative starts are
 * clamped to the log, an absolute one outside of it goes to the reset policy.
 */
export async function startOffsets(
  log: OffsetLookup,
  start: ResolvedStart,
  resetPolicy: OffsetResetPolicy,
  partitions: readonly number[],
  signal: AbortSignal | undefined,
): Promise<Map<number, StartChoice>> {
  const choices = new Map<number, StartChoice>();
  if (partitions.length === 0) return choices;
  if (start.kind === "policy") {
    const questions = partitions.map((partition): OffsetQuestion => ({
      partition,
      reason: "start",
      requested: -1n,
      lastOffsetFetched: -1n,
    }));
    await askPolicy(log, start.policy, questions, signal, (partition, choice) => void choices.set(partition, choice));
    return choices;
  }
  const bounds = await lookUpBounds(log, partitions, signal);
  const timestamp = start.kind === "timestamp" ? start.timestampMs : LATEST_TIMESTAMP;
  const entries = partitions.map((partition) => ({ partition, timestamp }));
  const listed = await lookUpTimestamps(log, entries, bounds, signal);
  const questions: OffsetQuestion[] = [];
  for (const [partition, own] of bounds) {
    const { offset, mark } = listed.get(partition) ?? own.latest;
    // A time is looked up after the bounds were: the log may have grown past them meanwhile.
    const nextOffset = start.kind === "timestamp" ? offset : offsetFor(start, own);
    const reason = start.kind === "timestamp" ? undefined : outsideOf(own, nextOffset);
    // As in Kafine, the first fetch of a consumer without a stored position reports -1.
    if (reason !== undefined) questions.push({ partition, reason, requested: nextOffset, lastOffsetFetched: -1n });
    else choices.set(partition, { nextOffset, mark: nextOffset === offset ? mark : undefined, bounds: own });
  }
  const requested = new Map(questions.map((question) => [question.partition, question.requested]));
  await askPolicy(log, resetPolicy, questions, signal, (partition, choice) => {
    choices.set(
      partition,
      choice instanceof Error ? choice : { ...choice, requested: requested.get(partition) ?? -1n },
    );
  });
  return choices;
}

function rangeOf({ earliest, latest }: LogBounds): { readonly earliest: bigint; readonly latest: bigint } {
  return { earliest: earliest.offset, latest: latest.offset };
}

function outsideOf({ earliest, latest }: LogBounds, offset: bigint): OutOfRangeReason | undefined {
  if (offset < earliest.offset) return "below-log";
  return offset > latest.offset ? "beyond-log" : undefined;
}

function offsetFor(start: Exclude<ResolvedStart, { kind: "policy" | "timestamp" }>, bounds: LogBounds): bigint {
  const { earliest, latest } = rangeOf(bounds);
  switch (start.kind) {
    case "offset":
      return start.offset;
    case "from-beginning":
      return earliest + start.records < latest ? earliest + start.records : latest;
    case "from-end":
      return latest - start.records > earliest ? latest - start.records : earliest;
  }
}
