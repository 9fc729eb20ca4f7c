import type { OffsetKey } from "../../key.ts";
import type { ClaimOutcome, CommitEntry, CommitOutcome, FetchOutcome } from "../../offset-store.ts";
import { OffsetStoreError } from "../../errors/offset-store-error.ts";
import { SeededRandom } from "../store/seeded-random.ts";
import type { RecordingStore } from "./record-history.ts";

/** What clients do at random. */
export interface RandomClientsOptions {
  /** Chooses what each client does, not when it does it. */
  readonly seed: number;
  /** Of topics that only these clients work on: listings and deletes go by topic. */
  readonly keys: readonly OffsetKey[];
  /** How many calls each client makes. */
  readonly callsEach: number;
}

/**
 * Has clients call a store at once: claims, commits of all kinds, fetches, listings, resets, deletes, on few keys, under few
 * tokens, so that they get into each other's way. Every commit has metadata of its own, so that none passes for another.
 * Nothing expires. Calls that fail for reasons that may pass (a lost connection, a time-out) are left at that.
 */
export async function runRandomClients(
  clients: readonly RecordingStore[],
  { seed, keys, callsEach }: RandomClientsOptions,
): Promise<void> {
  await Promise.all(
    clients.map(async (store, index) => {
      const client = new RandomClient(store, new SeededRandom(seed * 1_000 + index), keys, `client ${index + 1}`);
      for (let count = 0; count < callsEach; count += 1) await client.call();
    }),
  );
}

class RandomClient {
  readonly #store: RecordingStore;
  readonly #random: SeededRandom;
  readonly #keys: readonly OffsetKey[];
  readonly #name: string;
  readonly #token = new Map<OffsetKey, string>();
  readonly #epoch = new Map<OffsetKey, number>();
  readonly #last = new Map<OffsetKey, bigint>();
  #calls = 0;

  constructor(store: RecordingStore, random: SeededRandom, keys: readonly OffsetKey[], name: string) {
    this.#store = store;
    this.#random = random;
    this.#keys = keys;
    this.#name = name;
  }

  async call(): Promise<void> {
    this.#calls += 1;
    try {
      await this.#callAny();
    } catch (error) {
      if (!(error instanceof OffsetStoreError) || !error.retryable) throw error;
    }
  }

  async #callAny(): Promise<unknown> {
    const random = this.#random;
    const chosen = this.#keys.filter(() => random.once(this.#keys.length));
    const keys = chosen.length === 0 ? [random.pick(this.#keys)] : chosen;
    const verb = this.#calls === 1 ? 0 : random.below(40);
    if (verb < 9) return this.#claim(keys);
    if (verb < 29) return this.#commit(keys);
    if (verb < 33) return this.#learn(keys, await this.#store.fetch(keys));
    if (verb < 34) return Array.fromAsync(this.#store.list({ topic: keys[0]?.topic }));
    if (verb < 36) {
      return this.#store.reset(keys.map((key) => ({ key, nextOffset: BigInt(random.below(9)), metadata: this.#text })));
    }
    if (verb < 37) return this.#store.expire(keys.map((key) => ({ key, ttl: random.pick([null, 3_600_000]) })));
    return this.#store.delete(random.once(4) ? { topic: keys[0]?.topic ?? "" } : { keys });
  }

  /** What no other call writes. */
  get #text(): string {
    return `${this.#name} call ${this.#calls}`;
  }

  async #claim(keys: readonly OffsetKey[]): Promise<void> {
    const entries = keys.map((key) => {
      // Some share a token, as attempts of one session do.
      const token = this.#random.once(3) ? "shared token" : `${this.#name}'s token ${this.#random.below(2)}`;
      this.#token.set(key, token);
      return { key, token, owner: this.#text };
    });
    this.#learn(keys, await this.#store.claim(entries));
  }

  async #commit(keys: readonly OffsetKey[]): Promise<void> {
    const entries = keys.map((key) => this.#commitOf(key));
    const outcomes = await this.#store.commit(entries);
    outcomes.forEach((outcome, index) => {
      const entry = entries[index];
      if (entry === undefined || outcome.status !== "committed") return;
      this.#token.set(entry.key, entry.token);
      if (entry.nextOffset !== undefined) this.#last.set(entry.key, entry.nextOffset);
    });
    this.#learn(keys, outcomes);
  }

  #commitOf(key: OffsetKey): CommitEntry {
    const random = this.#random;
    const last = this.#last.get(key) ?? 0n;
    const token = random.once(8) ? "shared token" : (this.#token.get(key) ?? "shared token");
    const epoch = this.#epoch.get(key);
    const common = {
      key,
      token,
      ...(epoch !== undefined && !random.once(4) && { epoch }),
      ...(random.once(12) && { release: true }),
      // Without an epoch a record gets one that is in no answer.
      ...(epoch !== undefined && random.once(8) && { epoch, recreate: true, owner: this.#text }),
    };
    if (random.once(8)) return common;
    const moved = { ...common, metadata: this.#text, ...(random.once(4) && { mark: this.#name }) };
    if (random.once(6)) return { ...moved, nextOffset: last / 2n, rewind: true };
    const nextOffset = last + BigInt(random.below(4));
    return {
      ...moved,
      nextOffset,
      ...(random.once(4) && { acknowledged: [{ from: nextOffset + 2n, to: last + 9n }] }),
    };
  }

  /** Continues from what is stored, or said to be. */
  #learn(keys: readonly OffsetKey[], outcomes: readonly (ClaimOutcome | CommitOutcome | FetchOutcome)[]): void {
    outcomes.forEach((outcome, index) => {
      if (outcome.status === "failed" && !outcome.error.retryable) throw outcome.error;
      const key = keys[index];
      if (key === undefined) return;
      const record = "record" in outcome ? outcome.record : undefined;
      if (record?.nextOffset !== undefined) this.#last.set(key, record.nextOffset);
      // Of what others hold it is as good as one of before a rewind: no commit holds under it.
      const epoch = "epoch" in outcome ? outcome.epoch : record?.epoch;
      if (epoch !== undefined) this.#epoch.set(key, epoch);
    });
  }
}
