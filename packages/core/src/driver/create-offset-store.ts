import { CONTRACT_VERSION, contractBrand, validateContractVersion } from "../contract-version.ts";
import { emitter } from "../emitter.ts";
import type { OffsetStoreOperation } from "../errors/offset-store-error.ts";
import type { OffsetKey } from "../key.ts";
import type { GroupEntry, GroupRecord, MemberEntry, MemberFilter, MemberKey, MemberRecord } from "../member.ts";
import type { OffsetRecord } from "../offset-record.ts";
import type {
  CallOptions,
  ClaimEntry,
  ClaimOutcome,
  CommitEntry,
  CommitOptions,
  CommitOutcome,
  CommittedOutcome,
  DeleteSelector,
  ExpireEntry,
  ExpireOutcome,
  FetchOutcome,
  OffsetFilter,
  OffsetStore,
  ResetEntry,
  ResetOutcome,
  StoreCapabilities,
  TransactEntry,
  TransactionBody,
} from "../offset-store.ts";
import { withinDeadline } from "./deadline.ts";
import {
  decideClaim,
  decideCommit,
  decideExpire,
  decideFetch,
  decideReset,
  type JudgedClaimEntry,
} from "./decisions.ts";
import type { OffsetStoreDriver } from "./driver.ts";
import { noteDriver } from "./driver-of-store.ts";
import { heldClaims } from "./idle-claims.ts";
import { Looks } from "./looks.ts";
import { MemberCalls } from "./member-calls.ts";
import {
  validateGroupEntry,
  validateMemberEntry,
  validateMemberFilter,
  validateMemberKey,
} from "./member-validation.ts";
import { parseRecordText } from "./record-text.ts";
import { Removal } from "./removal.ts";
import { StoreCalls } from "./store-calls.ts";
import { StoreErrors } from "./store-errors.ts";
import { type OffsetStoreOptions, resolveStoreOptions } from "./store-options.ts";
import type { Verb } from "./verb-run.ts";
import { type StoredOffset, toOffsetRecord, visibleAt } from "./stored-offset.ts";
import {
  validateClaimEntries,
  validateCommitEntries,
  validateExpireEntries,
  validateFilter,
  validateKeys,
  validateResetEntries,
  validateSelector,
  validateTransactEntry,
} from "./entry-validation.ts";
import { describe, validateCallOptions } from "./validation.ts";

/**
 * Makes a store from a driver of four verbs. All rules of the contract are implemented here, once for all stores:
 * claims, fencing, order, expiry, lost answers, retries, timeouts, and errors that name the key and what to do.
 *
 * @throws TypeError if the driver was written for another version of the contract, or has `begin` without
 * `capabilities.transactions`.
 */
export function createOffsetStore<Transaction = never>(
  driver: OffsetStoreDriver<Transaction>,
  options: OffsetStoreOptions = {},
): OffsetStore<Transaction> {
  const { name, contractVersion, capabilities, begin } = driver;
  validateContractVersion(`the ${name} store`, contractVersion);
  if (begin !== undefined && !capabilities.transactions) {
    throw new TypeError(
      `the driver of the ${name} store has \`begin\`, so its read and write must take a transaction: say \`transactions: true\` ` +
        "in its capabilities, or leave `begin` out",
    );
  }
  const store = new DrivenOffsetStore(driver, options);
  noteDriver(store, driver);
  return store;
}

const CLAIM: Verb<JudgedClaimEntry, ClaimOutcome> = { operation: "claim", decide: decideClaim };
const COMMIT: Verb<CommitEntry, CommitOutcome> = { operation: "commit", decide: decideCommit, remembers: true };
const FETCH: Verb<{ readonly key: OffsetKey }, FetchOutcome> = { operation: "fetch", decide: decideFetch };
const RESET: Verb<ResetEntry, ResetOutcome> = { operation: "reset", decide: decideReset, isOnce: true };
const EXPIRE: Verb<ExpireEntry, ExpireOutcome> = { operation: "expire", decide: decideExpire };

const COMMIT_OPTIONS = ["signal", "transaction"];

class DrivenOffsetStore<Transaction> implements OffsetStore<Transaction> {
  readonly [contractBrand] = CONTRACT_VERSION;
  readonly name: string;
  readonly namespace: string;
  readonly capabilities: StoreCapabilities;
  readonly transact?: NonNullable<OffsetStore<Transaction>["transact"]>;
  readonly #driver: OffsetStoreDriver<Transaction>;
  readonly #errors: StoreErrors;
  readonly #calls: StoreCalls<Transaction>;
  readonly #members: MemberCalls<Transaction>;
  readonly #timeoutMs: number;
  #closing: Promise<void> | undefined;

  constructor(driver: OffsetStoreDriver<Transaction>, options: OffsetStoreOptions) {
    const { namespace, timeout } = resolveStoreOptions(options, CONTRACT_VERSION);
    this.name = driver.name;
    this.namespace = namespace;
    this.capabilities = driver.capabilities;
    this.#driver = driver;
    this.#timeoutMs = timeout;
    this.#errors = new StoreErrors(driver);
    const looks = new Looks();
    this.#calls = new StoreCalls(driver, this.#errors, timeout, emitter(options.onEvent), () => looks.forget());
    this.#members = new MemberCalls(driver, this.#errors, this.#calls, looks);
    if (driver.begin !== undefined) this.transact = (entry, body, call = {}) => this.#transact(entry, body, call);
  }

  async claim(entries: readonly ClaimEntry[], options: CallOptions = {}): Promise<ClaimOutcome[]> {
    const checked = validateClaimEntries(entries);
    this.#begin("claim", options);
    if (checked.every(({ ifIdleFor }) => ifIdleFor === undefined)) return this.#calls.run(CLAIM, checked, options);
    return this.#calls.together(() => this.#claimIdle(checked, options));
  }

  // No async frame: this is the way of every commit.
  commit(entries: readonly CommitEntry[], options: CommitOptions<Transaction> = {}): Promise<CommitOutcome[]> {
    try {
      const checked = validateCommitEntries(entries);
      this.#begin("commit", options, COMMIT_OPTIONS);
      const { transaction } = options;
      if (transaction !== undefined) return this.#commitWithin(transaction, checked, options);
      return this.#calls.run(COMMIT, checked, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async fetch(keys: readonly OffsetKey[], options: CallOptions = {}): Promise<FetchOutcome[]> {
    const entries = validateKeys(keys).map((key) => ({ key }));
    this.#begin("fetch", options);
    return this.#calls.run(FETCH, entries, options);
  }

  async reset(entries: readonly ResetEntry[], options: CallOptions = {}): Promise<ResetOutcome[]> {
    const checked = validateResetEntries(entries);
    this.#begin("reset", options);
    return this.#calls.run(RESET, checked, options);
  }

  async expire(entries: readonly ExpireEntry[], options: CallOptions = {}): Promise<ExpireOutcome[]> {
    const checked = validateExpireEntries(entries);
    this.#begin("expire", options);
    return this.#calls.run(EXPIRE, checked, options);
  }

  async delete(selector: DeleteSelector, options: CallOptions = {}): Promise<OffsetKey[]> {
    const checked = validateSelector(selector);
    this.#begin("delete", options);
    const keys = "keys" in checked ? checked.keys : [];
    const removal = new Removal(this.#driver, this.#errors, "expired" in checked);
    return this.#calls.bounded(
      "delete",
      () => keys,
      options.signal,
      (call) => removal.run(checked, call, this.#calls.retries("delete", call)),
    );
  }

  list(filter: OffsetFilter = {}, options: CallOptions = {}): AsyncIterable<OffsetRecord> {
    const checked = validateFilter(filter);
    validateCallOptions(options);
    return { [Symbol.asyncIterator]: () => this.#list(checked, options) };
  }

  async heartbeat(entry: MemberEntry, options: CallOptions = {}): Promise<void> {
    const checked = validateMemberEntry(entry);
    this.#begin("heartbeat", options);
    await this.#members.heartbeat(checked, options);
  }

  async leave(key: MemberKey, options: CallOptions = {}): Promise<void> {
    const checked = validateMemberKey(key);
    this.#begin("leave", options);
    await this.#members.leave(checked, options);
  }

  members(filter: MemberFilter = {}, options: CallOptions = {}): AsyncIterable<MemberRecord> {
    const checked = validateMemberFilter(filter);
    validateCallOptions(options);
    const check = (): void => this.#refuseIfClosed("members");
    return { [Symbol.asyncIterator]: () => this.#members.list(checked, options, check) };
  }

  async group(entry: GroupEntry, options: CallOptions = {}): Promise<GroupRecord> {
    const checked = validateGroupEntry(entry);
    this.#begin("group", options);
    return this.#members.group(checked, options);
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      await this.#calls.idle();
      try {
        await withinDeadline(this.#timeoutMs, undefined, async () => this.#driver.close());
      } catch (error) {
        throw this.#errors.wrap("close", [], error);
      }
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Claims what is free, then what the holders of the rest are found to have left behind (contract 8.3). */
  async #claimIdle(entries: readonly ClaimEntry[], options: CallOptions): Promise<ClaimOutcome[]> {
    const endsAt = performance.now() + this.#timeoutMs;
    const outcomes: ClaimOutcome[] = await this.#calls.run(CLAIM, entries, options);
    const silent = await this.#members.silent(heldClaims(entries, outcomes), options, endsAt);
    if (silent.length === 0) return outcomes;
    const again = silent.map(({ entry, record }) => ({ ...entry, silent: record }));
    try {
      const answers = await this.#calls.run(CLAIM, again, options, endsAt - performance.now());
      for (const [index, { at }] of silent.entries()) outcomes[at] = answers[index] as ClaimOutcome;
    } catch (thrown) {
      if (options.signal?.aborted === true && thrown === options.signal.reason) throw thrown;
      // What was answered already must reach the caller (contract 3.3).
      for (const { at, entry } of silent) {
        outcomes[at] = { status: "failed", error: this.#errors.wrap("claim", [entry.key], thrown) };
      }
    }
    return outcomes;
  }

  async #commitWithin(
    transaction: Transaction,
    entries: readonly CommitEntry[],
    options: CallOptions,
  ): Promise<CommitOutcome[]> {
    if (!this.capabilities.transactions) throw this.#errors.withoutTransactions(entries.map(({ key }) => key));
    const outcomes = await this.#calls.runWithin(transaction, COMMIT, entries, options);
    for (const [at, outcome] of outcomes.entries()) {
      if (outcome.status === "failed") throw outcome.error;
      if (outcome.status !== "committed") throw this.#errors.refused((entries[at] as CommitEntry).key, outcome);
    }
    return outcomes;
  }

  async #transact(
    entry: TransactEntry,
    body: TransactionBody<Transaction>,
    options: CallOptions,
  ): Promise<CommittedOutcome> {
    const checked = validateTransactEntry(entry);
    if (typeof body !== "function") throw new TypeError(`body must be a function, not ${describe(body)}`);
    this.#begin("transact", options);
    options.signal?.throwIfAborted();
    return this.#calls.transact(checked, body, options);
  }

  async *#list(filter: OffsetFilter, { signal }: CallOptions): AsyncGenerator<OffsetRecord, void, undefined> {
    const unreadable: { readonly key: OffsetKey; readonly error: unknown }[] = [];
    const check = (): void => this.#refuseIfClosed("list");
    for await (const { now, entries } of this.#calls.pages("list", { ...filter, kind: "position" }, signal, check)) {
      for (const { key, entry } of entries) {
        // A page may hold many records, and its reader may take long over each.
        signal?.throwIfAborted();
        if (!("partition" in key)) continue;
        let stored: StoredOffset | undefined;
        try {
          if ("error" in entry) throw entry.error;
          stored = visibleAt(parseRecordText(entry.value, entry.writtenAt), now);
        } catch (error) {
          unreadable.push({ key, error });
        }
        if (stored !== undefined) yield toOffsetRecord(key, stored);
      }
    }
    const [first] = unreadable;
    if (first === undefined) return;
    // Made again even from an error of ours: every key that could not be read is named (contract 3.3).
    const keys = unreadable.map(({ key }) => key);
    throw this.#errors.describe("list", keys, first.error);
  }

  #begin(operation: OffsetStoreOperation, options: CallOptions, known?: readonly string[]): void {
    validateCallOptions(options, known);
    this.#refuseIfClosed(operation);
  }

  #refuseIfClosed(operation: OffsetStoreOperation): void {
    if (this.#closing !== undefined) throw this.#errors.closed(operation);
  }
}
