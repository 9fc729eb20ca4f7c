import type { CommittedOutcome, FencedOutcome, TransactEntry } from "../offset-store.ts";
import { backoffMs, type BoundedCall, delay } from "./deadline.ts";
import { decideCommit } from "./decisions.ts";
import type { Change, ReadAnswer } from "./driver.ts";
import type { OwnTransactionContext } from "./own-transaction-run.ts";
import { parseRecordText, recordText } from "./record-text.ts";
import { type StoredOffset, visibleAt } from "./stored-offset.ts";
import { newVersion } from "./version.ts";

const RETRY_BASE_MS = 20;
const RETRY_MAX_MS = 500;

/** A position that was written in a transaction of the store's own, before its end. */
export interface SentPosition {
  readonly entry: TransactEntry;
  readonly change: Change;
  /** What it was written over. */
  readonly before: StoredOffset;
  readonly outcome: CommittedOutcome;
}

/**
 * Finds out whether a transaction was committed whose commit failed or got no answer. To look is not enough: a commit may still
 * be on its way. So the former record is written again under a new version, expecting the former version alone: once that is
 * written, the transaction can never be committed.
 *
 * @returns Whether it was committed. Rejects if that is not known within the time-out.
 */
export async function settle<Transaction>(
  context: OwnTransactionContext<Transaction>,
  sent: SentPosition,
  failure: unknown,
): Promise<boolean> {
  const { driver, errors, bounded } = context;
  const { entry, change, before } = sent;
  const { key } = entry;
  const former = { key, expected: change.expected, value: recordText({ ...before, notAfter: undefined }) };
  const written = new Set<string>();
  const attempt = async (call: BoundedCall<Transaction>): Promise<boolean | FencedOutcome> => {
    call.confirmed = true;
    for (;;) {
      const verdict = judge(sent, written, await driver.read([key], call));
      call.check();
      if (verdict !== undefined) return verdict;
      const version = newVersion();
      written.add(version);
      const { changes } = await driver.write([{ ...former, version, reclaimAfter: before.ttl ?? null }], call);
      const answer = changes === undefined ? "written" : changes[0];
      if (typeof answer === "object") throw answer.error;
      if (answer === "written") return false;
    }
  };
  let verdict: boolean | FencedOutcome;
  try {
    verdict = await bounded(async (call) => {
      for (let attempts = 0; ; attempts += 1) {
        try {
          return await attempt(call);
        } catch (error) {
          call.check();
          if (!errors.wrap("transact", [key], error).retryable) throw error;
          await delay(backoffMs(attempts, RETRY_BASE_MS, RETRY_MAX_MS), call.signal);
        }
      }
    });
  } catch (error) {
    throw errors.unknownOutcome(entry, errors.wrap("transact", [key], error));
  }
  if (typeof verdict === "boolean") return verdict;
  throw errors.unknownOutcome(entry, errors.wrap("transact", [key], failure), verdict);
}

/** Whether the transaction was committed; the holder of the claim if it is another one; `undefined` if it may yet be. */
function judge(
  { entry, change, before }: SentPosition,
  written: ReadonlySet<string>,
  { now, entries }: ReadAnswer,
): boolean | FencedOutcome | undefined {
  const [found] = entries;
  if (found !== undefined && "error" in found) throw found.error;
  if (found?.version === change.version) return true;
  if (found !== undefined && change.expected.includes(found.version)) return undefined;
  if (found !== undefined && written.has(found.version)) return false;
  const stored = found && parseRecordText(found.value, found.writtenAt);
  // It was written since, under the same claim, for example by an operator who made the record live longer.
  if (stored?.claim.epoch === before.claim.epoch) return (stored.nextOffset ?? -1n) >= entry.nextOffset;
  const { key, token, epoch } = entry;
  const visible = visibleAt(stored, now);
  const decision = decideCommit({ key, token, epoch }, { key, stored: visible, now, isInTransaction: false });
  return decision?.outcome.status === "fenced" ? decision.outcome : { status: "fenced", reason: "superseded" };
}
