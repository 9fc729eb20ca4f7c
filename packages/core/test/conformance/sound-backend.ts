import type { StoreCapabilities } from "@tidemark/core";
import type { Change, DriverKey, StoredEntry } from "@tidemark/core/driver";

/** The backend's own clock: a client whose clock is wrong does not set it. */
export const backendNow = Date.now;

/** What a backend keeps under a key. */
export interface Row extends StoredEntry {
  readonly key: DriverKey;
  /** From when the backend may take it back. This one never does so by itself. */
  readonly reclaimAt: number;
}

/** The rows of a namespace, and what is wrong with where they are kept. */
export class Rows extends Map<string, Row> {
  /** The names of those that it fails to give. */
  readonly unreadable = new Set<string>();
  isGone = false;
}

/** The rows of all namespaces, in the order in which they came. */
export class SoundBackend {
  readonly #namespaces = new Map<string, Rows>();

  rows(namespace: string): Rows {
    let rows = this.#namespaces.get(namespace);
    if (rows === undefined) this.#namespaces.set(namespace, (rows = new Rows()));
    return rows;
  }
}

/** A caller's transaction: its rows are seen by others once it is committed. */
export class SoundTransaction {
  /** `undefined`: removed. */
  readonly written = new Map<string, Row | undefined>();
  isOpen = true;
}

/** A connection, and what is wrong with it. */
export class Connection {
  #state: "on" | "cut" | "silent" | "answers-lost" = "on";
  #restored = Promise.withResolvers<void>();

  get state(): string {
    return this.#state;
  }

  break(state: "cut" | "silent" | "answers-lost"): () => Promise<void> {
    this.#state = state;
    return async () => {
      this.#state = "on";
      this.#restored.resolve();
      this.#restored = Promise.withResolvers();
    };
  }

  /** Has the backend do something and gives its answer, or fails as a client does whose connection is reset. */
  async carry<Answer>(work: () => Answer): Promise<Answer> {
    const state = this.#state;
    if (state === "cut") throw new ConnectionReset();
    const answer = state === "silent" ? undefined : work();
    if (state === "on") return answer as Answer;
    await this.#restored.promise;
    throw new ConnectionReset();
  }
}

/** What calls end with whose connection is gone. */
export class ConnectionReset extends Error {}

/** What calls end with while their rows are gone. */
export class BackendGone extends Error {}

/** What a transaction ends with that meets the writes of others. */
export class GaveWay extends Error {}

/** A key as text. */
export function nameOf(key: DriverKey): string {
  return "partition" in key
    ? JSON.stringify([key.consumer, key.topic, key.partition])
    : JSON.stringify([key.consumer, key.topic, "", key.member]);
}

/** Whether what is stored is what a change expects. */
export function fits({ expected }: Change, row: Row | undefined): boolean {
  return expected === "any" || expected.includes(row?.version ?? null);
}

export const soundCapabilities: StoreCapabilities = Object.freeze({
  atomicBatch: true,
  transactions: false,
  durability: "none",
  expiry: Object.freeze({ reclaim: "on-write", granularityMs: 1 }),
  maxBatch: 1_000,
});
