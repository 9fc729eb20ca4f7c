import type { GroupEntry, GroupRecord, MemberEntry, MemberFilter, MemberKey, MemberRecord } from "../member.ts";
import type { CallOptions } from "../offset-store.ts";
import type { OffsetStoreOperation } from "../errors/offset-store-error.ts";
import type { BoundedCall } from "./deadline.ts";
import { batchesOf } from "./batches.ts";
import type { Change, DriverKey, OffsetStoreDriver, ReadAnswer, ReadEntry } from "./driver.ts";
import { type HeldClaim, holdersOf, isMemberSilent, silentClaims } from "./idle-claims.ts";
import type { Looks } from "./looks.ts";
import {
  groupText,
  memberText,
  parseGroupText,
  parseMemberText,
  type StoredGroup,
  type StoredMember,
} from "./member-text.ts";
import type { Retries } from "./retries.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { StoreErrors } from "./store-errors.ts";
import { newVersion } from "./version.ts";

/** A member's record is left to the backend after so many leases: until then an operator may ask who it was. */
export const RECLAIMED_AFTER_LEASES = 10;

/** The verbs that are about members (contract, section 8): who of those that share a topic lives. */
export class MemberCalls<Transaction> {
  readonly #driver: OffsetStoreDriver<Transaction>;
  readonly #errors: StoreErrors;
  readonly #calls: StoreCalls<Transaction>;
  readonly #looks: Looks;

  constructor(
    driver: OffsetStoreDriver<Transaction>,
    errors: StoreErrors,
    calls: StoreCalls<Transaction>,
    looks: Looks,
  ) {
    this.#driver = driver;
    this.#errors = errors;
    this.#calls = calls;
    this.#looks = looks;
  }

  /** Those claims whose holder is silent or has ended, by one more read for all. What cannot be read now proves nothing. */
  async silent(held: readonly HeldClaim[], { signal }: CallOptions, endsAt: number): Promise<HeldClaim[]> {
    if (held.length === 0) return [];
    const holders = holdersOf(held);
    let now = Number.POSITIVE_INFINITY;
    const entries: ReadEntry[] = [];
    // A call without keys, where no holder is a member, still returns the time.
    const [first] = held;
    const keys: DriverKey[] = holders.length > 0 || first === undefined ? holders : [first.entry.key];
    try {
      for (const part of batchesOf(keys, this.#driver.capabilities.maxBatch)) {
        const timeoutMs = endsAt - performance.now();
        const read = (call: BoundedCall<Transaction>): Promise<ReadAnswer> => this.#driver.read(part, call);
        const answer = await this.#calls.bounded("claim", () => part, signal, read, timeoutMs);
        now = Math.min(now, answer.now);
        entries.push(...answer.entries);
      }
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) throw error;
      return [];
    }
    return silentClaims(held, holders, { now, entries }, this.#looks);
  }

  async heartbeat({ key, ...entry }: MemberEntry, options: CallOptions): Promise<void> {
    const change = { key, value: memberText(entry), reclaimAfter: entry.lease * RECLAIMED_AFTER_LEASES };
    await this.#write("heartbeat", { ...change, expected: "any" }, options);
  }

  async leave(key: MemberKey, options: CallOptions): Promise<void> {
    await this.#write("leave", { key, value: undefined, reclaimAfter: undefined, expected: "any" }, options);
  }

  async group({ consumer, topic, partitions, ttl }: GroupEntry, options: CallOptions): Promise<GroupRecord> {
    const key = { consumer, topic, member: "" };
    return this.#bounded("group", key, options, async (call, retries) => {
      for (;;) {
        const { now, entries } = await this.#driver.read([key], call);
        const [entry] = entries;
        if (entry !== undefined && "error" in entry) throw entry.error;
        const stored = entry && parseGroupText(entry.value);
        const isThere =
          stored !== undefined && (stored.ttl === undefined || (entry?.writtenAt ?? 0) + stored.ttl > now);
        const wanted: StoredGroup = {
          partitions: isThere ? stored.partitions : partitions,
          ttl: ttl === undefined && isThere ? stored.ttl : (ttl ?? undefined),
        };
        // One that does not expire needs no renewal, unless it is of this call and got no answer.
        if (!call.confirmed && isThere && stored.ttl === undefined && wanted.ttl === undefined)
          return { partitions: stored.partitions };
        const change = {
          ...{ key, value: groupText(wanted), version: newVersion() },
          expected: [entry?.version ?? null],
          reclaimAfter: wanted.ttl ?? null,
        };
        if (await this.#isWritten(change, call)) return { partitions: wanted.partitions };
        await retries.afterConflict();
      }
    });
  }

  /** `check` is called before each page, and throws where no more may be asked for. */
  async *list(
    filter: MemberFilter,
    { signal }: CallOptions,
    check: () => void,
  ): AsyncGenerator<MemberRecord, void, undefined> {
    for await (const { now, entries } of this.#calls.pages("members", { ...filter, kind: "member" }, signal, check)) {
      for (const { key, entry } of entries) {
        signal?.throwIfAborted();
        if (!("member" in key) || key.member === "" || "error" in entry) continue;
        const stored = readable(entry.value);
        const ageMs = now - entry.writtenAt;
        if (stored === undefined || ageMs > stored.lease * RECLAIMED_AFTER_LEASES) continue;
        const { mode, lease, owner, held, generation } = stored;
        const isLiving = !isMemberSilent(key, stored, entry, now, this.#looks);
        yield { ...key, mode, lease, owner, held, heardAt: new Date(entry.writtenAt), isLiving, generation };
      }
    }
  }

  async #write(operation: OffsetStoreOperation, change: Omit<Change, "version">, options: CallOptions): Promise<void> {
    await this.#bounded(operation, change.key, options, async (call, retries) => {
      // Also a change that expects anything may be refused: where another call has locked its row (contract 4.2b).
      while (!(await this.#isWritten({ ...change, version: newVersion() }, call))) await retries.afterConflict();
    });
  }

  async #isWritten(change: Change, call: BoundedCall<Transaction>): Promise<boolean> {
    try {
      const { changes } = await this.#driver.write([change], call);
      const answer = changes === undefined ? "written" : changes[0];
      if (typeof answer === "object") throw answer.error;
      return answer === "written";
    } catch (error) {
      call.confirmed = true;
      throw error;
    }
  }

  /** Bounds a call in time, and tries what failed again. */
  #bounded<Result>(
    operation: OffsetStoreOperation,
    key: DriverKey,
    { signal }: CallOptions,
    attempt: (call: BoundedCall<Transaction>, retries: Retries) => Promise<Result>,
  ): Promise<Result> {
    return this.#calls.bounded(
      operation,
      () => [key],
      signal,
      async (call) => {
        const retries = this.#calls.retries(operation, call);
        for (;;) {
          call.check();
          try {
            return await attempt(call, retries);
          } catch (error) {
            call.check();
            await retries.afterFailure(this.#errors.wrap(operation, [key], error));
          }
        }
      },
    );
  }
}

function readable(value: string): StoredMember | undefined {
  try {
    return parseMemberText(value);
  } catch {
    return undefined;
  }
}
