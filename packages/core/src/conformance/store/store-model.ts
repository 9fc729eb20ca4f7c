import type { OffsetKey } from "../../key.ts";
import type { ClaimEntry, CommitEntry, OffsetFilter, ResetEntry } from "../../offset-store.ts";

/** What the model shows of a record: all but the times, which only the store's clock knows. */
export interface ModelRecord extends OffsetKey {
  readonly nextOffset: bigint | undefined;
  readonly metadata: string;
  readonly ttl: number | undefined;
  readonly owner: string | undefined;
}

interface ModelState extends ModelRecord {
  readonly token: string | undefined;
}

/**
 * The contract once more, in the fewest words, written independently of `driver/transitions.ts`: a model that shares the
 * code under test would share its faults. It knows no time, so nothing may expire while it is compared.
 */
export class StoreModel {
  readonly #states = new Map<string, ModelState>();

  claim({ key, token, owner, ttl }: ClaimEntry): unknown {
    const before = this.#get(key);
    const kept = before ?? { ...key, nextOffset: undefined, metadata: "", ttl: undefined };
    this.#put({ ...kept, token, owner, ttl: changed(kept.ttl, ttl) });
    return { status: "claimed", record: before && shown(before) };
  }

  commit(entry: CommitEntry): unknown {
    const { key, token, nextToken = token, nextOffset, metadata = "", ttl, rewindFrom, recreate, owner } = entry;
    const before = this.#get(key);
    if (!before && !recreate) return { status: "fenced", reason: "absent" };
    if (before && before.token === undefined) return { status: "fenced", reason: "reset" };
    if (before && before.token !== token && before.token !== nextToken) {
      return { status: "fenced", reason: "superseded", owner: before.owner };
    }
    const now = before ?? { ...key, nextOffset: undefined, metadata: "", ttl: undefined, token, owner };
    if (nextOffset !== undefined && now.nextOffset !== undefined && nextOffset < now.nextOffset) {
      if (rewindFrom !== now.nextOffset) return { status: "behind", record: shown(now) };
    }
    const moved = nextOffset === undefined ? {} : { nextOffset, metadata };
    this.#put({ ...now, ...moved, token: nextToken, ttl: changed(now.ttl, ttl) });
    return { status: "committed" };
  }

  fetch(key: OffsetKey): unknown {
    const state = this.#get(key);
    return state ? { status: "found", record: shown(state) } : { status: "absent" };
  }

  reset({ key, nextOffset, metadata = "", ttl }: ResetEntry): unknown {
    const kept = changed(this.#get(key)?.ttl, ttl);
    this.#put({ ...key, nextOffset, metadata, ttl: kept, token: undefined, owner: undefined });
    return { status: "reset" };
  }

  expire(key: OffsetKey, ttl: number | null): unknown {
    const state = this.#get(key);
    if (!state) return { status: "absent" };
    this.#put({ ...state, ttl: ttl ?? undefined });
    return { status: "set" };
  }

  list(filter: OffsetFilter): ModelRecord[] {
    return [...this.#states.values()].filter((state) => matches(state, filter)).map(shown);
  }

  delete(filter: OffsetFilter): OffsetKey[] {
    const gone = this.list(filter);
    for (const key of gone) this.#states.delete(identity(key));
    return gone.map(({ consumer, topic, partition }) => ({ consumer, topic, partition }));
  }

  /** The position that is stored, so that commands can aim near it. */
  nextOffset(key: OffsetKey): bigint {
    return this.#get(key)?.nextOffset ?? 0n;
  }

  #get(key: OffsetKey): ModelState | undefined {
    return this.#states.get(identity(key));
  }

  #put(state: ModelState): void {
    this.#states.set(identity(state), state);
  }
}

/** A record as the model shows it: every field there, no times. */
export function shown({ consumer, topic, partition, ...rest }: Partial<ModelRecord> & OffsetKey): ModelRecord {
  const { nextOffset, metadata = "", ttl, owner } = rest;
  return { consumer, topic, partition, nextOffset, metadata, ttl, owner };
}

function changed(kept: number | undefined, ttl: number | null | undefined): number | undefined {
  return ttl === undefined ? kept : (ttl ?? undefined);
}

function matches(key: OffsetKey, { consumer, topic, partition }: OffsetFilter): boolean {
  return (
    (consumer === undefined || consumer === key.consumer) &&
    (topic === undefined || topic === key.topic) &&
    (partition === undefined || partition === key.partition)
  );
}

function identity({ consumer, topic, partition }: OffsetKey): string {
  return JSON.stringify([consumer, topic, partition]);
}
