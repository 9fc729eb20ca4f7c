import type { OffsetKey } from "../key.ts";
import type { DeleteSelector, OffsetFilter } from "../offset-store.ts";
import { batchesOf } from "./batches.ts";
import type { BoundedCall } from "./deadline.ts";
import type { Change, DriverKey, ListFilter, OffsetStoreDriver, ReadEntry } from "./driver.ts";
import { parseRecordText } from "./record-text.ts";
import type { Retries } from "./retries.ts";
import type { StoreErrors } from "./store-errors.ts";
import { visibleAt } from "./stored-offset.ts";
import { newVersion } from "./version.ts";

/** One entry on its way out. */
interface Leaving {
  readonly key: DriverKey;
  /** What to expect when it is removed. `undefined`: it must be read. */
  expected?: Change["expected"] | undefined;
  /** Whether it was visible: only visible ones are returned. */
  wasVisible: boolean;
  isSent: boolean;
  isDone: boolean;
  isTold: boolean;
}

/** An entry as a listing gave it; without `entry` it is read first. */
interface Removable {
  readonly key: DriverKey;
  readonly entry?: ReadEntry;
}

/**
 * Removes entries: one that is written meanwhile is read and removed again, until it is gone. With `expiredOnly` what can
 * be seen stays (contract 3.6).
 */
export class Removal<Transaction> {
  readonly #driver: OffsetStoreDriver<Transaction>;
  readonly #errors: StoreErrors;
  readonly #expiredOnly: boolean;

  constructor(driver: OffsetStoreDriver<Transaction>, errors: StoreErrors, expiredOnly: boolean) {
    this.#driver = driver;
    this.#errors = errors;
    this.#expiredOnly = expiredOnly;
  }

  /** Gives the keys of the positions that could be seen and are removed now; with `expiredOnly`, of those that had expired. */
  async run(selector: DeleteSelector, call: BoundedCall<Transaction>, retries: Retries): Promise<OffsetKey[]> {
    const { maxBatch } = this.#driver.capabilities;
    const removed: OffsetKey[] = [];
    const removeParts = async (entries: readonly Removable[], now?: number): Promise<void> => {
      for (const part of batchesOf(entries, maxBatch))
        for (const key of await this.#remove(part, now, call, retries)) removed.push(key);
    };
    if ("keys" in selector) await removeParts(selector.keys.map((key) => ({ key })));
    else {
      for (const filter of filtersOf(selector))
        for await (const { now, entries } of this.#driver.list(filter, call)) {
          // Where nothing of a page is to be removed nothing else notices that the call is over.
          call.check();
          await removeParts(entries, now);
        }
    }
    return removed;
  }

  async #remove(
    entries: readonly Removable[],
    now: number | undefined,
    call: BoundedCall<Transaction>,
    retries: Retries,
  ): Promise<OffsetKey[]> {
    const all = entries.map(({ key, entry }) => {
      const one: Leaving = { key, wasVisible: false, isSent: false, isDone: false, isTold: false };
      if (now !== undefined) this.#judge(one, entry, now);
      return one;
    });
    for (;;) {
      const open = all.filter(({ isDone }) => !isDone);
      if (open.length === 0) break;
      const keys = open.flatMap(({ key }) => ("partition" in key ? [key] : []));
      try {
        await this.#read(open, keys, call);
        const hasConflict = await this.#write(open, keys, call);
        if (hasConflict) await retries.afterConflict();
      } catch (error) {
        call.check();
        call.confirmed ||= open.some(({ isSent }) => isSent);
        await retries.afterFailure(this.#errors.wrap("delete", keys, error));
        for (const one of open) one.expected = undefined;
      }
    }
    return all.flatMap(({ key, isTold }) => (isTold && "partition" in key ? [key] : []));
  }

  async #read(open: readonly Leaving[], keys: readonly OffsetKey[], call: BoundedCall<Transaction>): Promise<void> {
    const unknown = open.filter(({ expected }) => expected === undefined);
    if (unknown.length === 0) return;
    call.check();
    const { now, entries } = await this.#driver.read(
      unknown.map(({ key }) => key),
      call,
    );
    if (entries.length !== unknown.length) this.#errors.checkAnswers("delete", keys, entries);
    for (const [at, one] of unknown.entries()) this.#judge(one, entries[at], now);
  }

  /** Gives whether anything met a conflict. */
  async #write(open: readonly Leaving[], keys: readonly OffsetKey[], call: BoundedCall<Transaction>): Promise<boolean> {
    const writing = open.filter(({ isDone }) => !isDone);
    if (writing.length === 0) return false;
    call.check();
    const version = newVersion();
    for (const one of writing) one.isSent = true;
    const { changes } = await this.#driver.write(
      writing.map(({ key, expected = "any" }) => ({
        key,
        expected,
        value: undefined,
        version,
        reclaimAfter: undefined,
      })),
      call,
    );
    if (changes !== undefined && changes.length !== writing.length) this.#errors.checkAnswers("delete", keys, changes);
    let hasConflict = false;
    let failure: { readonly error: unknown } | undefined;
    for (const [at, one] of writing.entries()) {
      const answer = changes === undefined ? "written" : changes[at];
      if (answer === "written") {
        one.isDone = true;
        one.isTold = this.#isTold(one);
      } else if (answer === "conflict") {
        hasConflict = true;
        one.isSent = false;
        one.expected = undefined;
      } else if (typeof answer === "object") failure ??= answer;
      else one.isSent = false;
    }
    if (failure !== undefined) throw failure.error;
    return hasConflict;
  }

  #judge(one: Leaving, entry: ReadEntry, now: number): void {
    if (entry === undefined) {
      one.isDone = true;
      // Gone after a removal that got no answer: it was ours, as far as is known.
      one.isTold = one.isSent && this.#isTold(one);
      return;
    }
    one.expected = entry.version === undefined ? "any" : [entry.version];
    one.wasVisible = isVisible(entry, now);
    // What cannot be read goes by its key alone, and is no expired record.
    if (this.#expiredOnly && one.wasVisible) one.isDone = true;
  }

  /** Expired records are returned by a sweep only: it was asked for them. */
  #isTold({ wasVisible }: Leaving): boolean {
    return wasVisible !== this.#expiredOnly;
  }
}

function isVisible(entry: NonNullable<ReadEntry>, now: number): boolean {
  if ("error" in entry) return true;
  try {
    return visibleAt(parseRecordText(entry.value, entry.writtenAt), now) !== undefined;
  } catch {
    return true;
  }
}

/** What a deletion by filter takes with it: the members of a consumer or topic go along with its positions. */
function filtersOf(selector: { readonly expired: true } | OffsetFilter): ListFilter[] {
  if ("expired" in selector) return [{ kind: "position", reclaimable: true }];
  const positions: ListFilter = { ...selector, kind: "position" };
  return selector.partition === undefined ? [positions, { ...selector, kind: "member" }] : [positions];
}
