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
  claimTransition,
  commitTransition,
  type DriverClaimOutcome,
  type DriverCommitOutcome,
  type DriverContext,
  type DriverExpireOutcome,
  type DriverFailure,
  type DriverFetchOutcome,
  type DriverListing,
  type DriverResetOutcome,
  type ErrorClassification,
  expireTransition,
  type OffsetStoreDriver,
  resetTransition,
  type StoredOffset,
  toOffsetRecord,
} from "@tidemark/core/driver";
import { mapBounded, streamBounded } from "./bounded-concurrency.ts";
import { AT_WRITING, GroupDraft } from "./group-draft.ts";
import { listingsOf } from "./group-listings.ts";
import { readSnapshot } from "./group-snapshot.ts";
import type { GroupName, ObjectKeys } from "./object-keys.ts";
import { NewerDocumentError, settleTimes, UnreadableDocumentError, UnreadableEntryError } from "./offsets-document.ts";
import type { OffsetsGroup } from "./offsets-group.ts";
import { OffsetsGroups } from "./offsets-groups.ts";
import { classifyS3Error } from "./s3-errors.ts";
import type { S3Objects } from "./s3-objects.ts";

/** What a driver is made from. */
export interface S3DriverOptions {
  readonly objects: S3Objects;
  readonly keys: ObjectKeys;
  /** Whether the server honours `If-Match` on DELETE. */
  readonly removesConditionally: boolean;
  /** Releases what was opened for the store. */
  readonly release: () => void;
}

/** How many objects are read or written at the same time. */
const CONCURRENCY = 32;
/**
 * How old an empty object must be before it is removed, in milliseconds: an hour. A write that creates an object and is
 * still on its way would bring old positions back; S3 takes none that was signed more than a quarter of an hour before.
 */
const ABANDONED_AFTER_MS = 60 * 60 * 1_000;

/** The driver: which objects a call concerns, and the contract's transitions on their drafts. */
export class S3Driver implements OffsetStoreDriver {
  readonly name = "s3";
  readonly capabilities: StoreCapabilities = Object.freeze({
    atomicBatch: false,
    transactions: false,
    durability: "synced",
    expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1_000 }),
    maxBatch: 1_000,
  });
  readonly #objects: S3Objects;
  readonly #keys: ObjectKeys;
  readonly #groups: OffsetsGroups;
  readonly #removesConditionally: boolean;
  readonly #release: () => void;

  constructor({ objects, keys, removesConditionally, release }: S3DriverOptions) {
    this.#objects = objects;
    this.#keys = keys;
    this.#groups = new OffsetsGroups(objects, keys);
    this.#removesConditionally = removesConditionally;
    this.#release = release;
  }

  claim(entries: readonly ClaimEntry[], { signal }: DriverContext): Promise<readonly DriverClaimOutcome[]> {
    return this.#write<ClaimEntry, DriverClaimOutcome>(entries, signal, (entry, stored, draft) => {
      draft.write(entry.key.partition, claimTransition(stored, entry, AT_WRITING));
      return (writtenAt) => ({ status: "claimed", record: stored && recordOf(entry.key, stored, writtenAt) });
    });
  }

  commit(entries: readonly CommitEntry[], { signal }: DriverContext): Promise<readonly DriverCommitOutcome[]> {
    return this.#write<CommitEntry, DriverCommitOutcome>(entries, signal, (entry, stored, draft) => {
      const { write, refusal } = commitTransition(entry.key, stored, entry, AT_WRITING);
      if (write !== undefined) {
        draft.write(entry.key.partition, write);
        return () => ({ status: "committed" });
      }
      if (refusal.status !== "behind" || stored === undefined) return () => refusal;
      return (writtenAt) => ({ status: "behind", record: recordOf(entry.key, stored, writtenAt) });
    });
  }

  reset(entries: readonly ResetEntry[], { signal }: DriverContext): Promise<readonly DriverResetOutcome[]> {
    return this.#write<ResetEntry, DriverResetOutcome>(entries, signal, (entry, stored, draft) => {
      draft.write(entry.key.partition, resetTransition(stored, entry, AT_WRITING));
      return () => ({ status: "reset" });
    });
  }

  expire(entries: readonly ExpireEntry[], { signal }: DriverContext): Promise<readonly DriverExpireOutcome[]> {
    return this.#write<ExpireEntry, DriverExpireOutcome>(entries, signal, (entry, stored, draft) => {
      if (stored === undefined) return () => ({ status: "absent" });
      draft.write(entry.key.partition, expireTransition(stored, entry, AT_WRITING));
      return () => ({ status: "set" });
    });
  }

  fetch(keys: readonly OffsetKey[], { signal }: DriverContext): Promise<readonly DriverFetchOutcome[]> {
    const entries = keys.map((key) => ({ key }));
    return this.#byGroup<{ readonly key: OffsetKey }, DriverFetchOutcome>(entries, async (group, asked) => {
      const draft = new GroupDraft(await group.read(signal), group.key);
      return asked.map(({ key }) =>
        readable(() => {
          const stored = draft.read(key.partition);
          return stored === undefined ? { status: "absent" } : { status: "found", record: toOffsetRecord(key, stored) };
        }),
      );
    });
  }

  async *list(filter: OffsetFilter, { signal }: DriverContext): AsyncGenerator<readonly DriverListing[]> {
    const listings = streamBounded(this.#namesOf(filter, signal), CONCURRENCY, async (name) => {
      const objectKey = this.#keys.keyOf(name);
      return listingsOf(name, objectKey, filter, await readSnapshot(this.#objects, objectKey, signal));
    });
    for await (const found of listings) if (found.length > 0) yield found;
  }

  async delete(selector: DeleteSelector, { signal }: DriverContext): Promise<readonly OffsetKey[]> {
    if ("keys" in selector) return this.#deleteKeys(selector.keys, signal);
    const isSweep = "expired" in selector;
    const filter: OffsetFilter = isSweep ? {} : selector;
    const removed: OffsetKey[] = [];
    const steps = streamBounded(this.#namesOf(filter, signal), CONCURRENCY, async ({ consumer, topic }) => {
      const group = this.#groups.of({ consumer, topic });
      const { partitions, abandoned } = await group.run(
        {
          needsFresh: true,
          apply(draft) {
            const gone = isSweep ? draft.removeExpired() : draft.removeAll(filter.partition);
            const etag = draft.abandonedFor(ABANDONED_AFTER_MS);
            return () => ({ partitions: gone, abandoned: etag });
          },
        },
        signal,
      );
      if (abandoned !== undefined && this.#removesConditionally) {
        await this.#objects.remove(group.key, abandoned, signal);
      }
      return partitions.map((partition) => ({ consumer, topic, partition }));
    });
    for await (const keys of steps) removed.push(...keys);
    return removed;
  }

  classify(error: unknown): ErrorClassification {
    return classifyS3Error(error, this.#objects.bucket);
  }

  async close(): Promise<void> {
    this.#release();
  }

  async #deleteKeys(keys: readonly OffsetKey[], signal: AbortSignal): Promise<readonly OffsetKey[]> {
    const entries = keys.map((key) => ({ key }));
    const outcomes = await this.#byGroup<{ readonly key: OffsetKey }, { readonly isRemoved: boolean }>(
      entries,
      (group, asked) =>
        group.run(
          {
            needsFresh: true,
            apply(draft) {
              const removed = asked.map(({ key }) => ({ isRemoved: draft.remove(key.partition) }));
              return () => removed;
            },
          },
          signal,
        ),
    );
    return outcomes.flatMap((outcome, index) => {
      if ("status" in outcome) throw outcome.error;
      const key = keys[index];
      return outcome.isRemoved && key !== undefined ? [key] : [];
    });
  }

  #write<Entry extends { readonly key: OffsetKey }, Outcome>(
    entries: readonly Entry[],
    signal: AbortSignal,
    step: (entry: Entry, stored: StoredOffset | undefined, draft: GroupDraft) => (writtenAt: number) => Outcome,
  ): Promise<readonly (Outcome | DriverFailure)[]> {
    return this.#byGroup(entries, (group, asked) =>
      group.run(
        {
          apply(draft) {
            const outcomes = asked.map((entry) => readable(() => step(entry, draft.read(entry.key.partition), draft)));
            return (writtenAt) =>
              outcomes.map((outcome) => (typeof outcome === "function" ? outcome(writtenAt) : outcome));
          },
        },
        signal,
      ),
    );
  }

  /** Asks each group for its own entries, and gives the answers in the order of the entries. */
  async #byGroup<Entry extends { readonly key: OffsetKey }, Outcome>(
    entries: readonly Entry[],
    ask: (group: OffsetsGroup, entries: readonly Entry[]) => Promise<readonly (Outcome | DriverFailure)[]>,
  ): Promise<readonly (Outcome | DriverFailure)[]> {
    const indexes = new Map<OffsetsGroup, number[]>();
    let last: OffsetKey | undefined;
    let own: number[] = [];
    for (const [index, { key }] of entries.entries()) {
      // A session's partitions come one after the other: they are one group without looking again.
      if (key.consumer !== last?.consumer || key.topic !== last.topic) {
        const group = this.#groups.of(key);
        own = indexes.get(group) ?? [];
        indexes.set(group, own);
        last = key;
      }
      own.push(index);
    }
    const answers: (Outcome | DriverFailure)[] = [];
    const errors: unknown[] = [];
    await mapBounded([...indexes], CONCURRENCY, async ([group, asked]) => {
      try {
        const outcomes = await ask(
          group,
          asked.map((index) => entries[index] as Entry),
        );
        asked.forEach((index, position) => (answers[index] = outcomes[position] as Outcome | DriverFailure));
      } catch (error) {
        errors.push(error);
        for (const index of asked) answers[index] = { status: "failed", error };
      }
    });
    // Nothing was answered: as a whole it may be repeated (contract 3.3).
    if (errors.length === indexes.size && errors.length > 0) throw errors[0];
    return answers;
  }

  /** The groups that a filter may concern. */
  async *#namesOf({ consumer, topic }: OffsetFilter, signal: AbortSignal): AsyncGenerator<readonly GroupName[]> {
    if (consumer !== undefined && topic !== undefined) {
      yield [{ consumer, topic }];
      return;
    }
    const prefix = consumer === undefined ? this.#keys.root : this.#keys.consumerFolder(consumer);
    for await (const page of this.#objects.list(prefix, signal)) {
      yield page.flatMap((key) => {
        const name = this.#keys.groupOf(key);
        return name === undefined || (topic !== undefined && name.topic !== topic) ? [] : [name];
      });
    }
  }
}

function recordOf(key: OffsetKey, stored: StoredOffset, writtenAt: number): ReturnType<typeof toOffsetRecord> {
  return toOffsetRecord(key, settleTimes(stored, writtenAt));
}

/** Gives what one entry comes to, or that what is stored for it cannot be read; any other error ends the whole call. */
function readable<Outcome>(answer: () => Outcome): Outcome | DriverFailure {
  try {
    return answer();
  } catch (error) {
    const isDamage =
      error instanceof UnreadableEntryError ||
      error instanceof UnreadableDocumentError ||
      error instanceof NewerDocumentError;
    if (isDamage) return { status: "failed", error };
    throw error;
  }
}
