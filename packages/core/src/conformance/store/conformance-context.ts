import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";

import type { OffsetKey } from "../../key.ts";
import type { OffsetStore, StoreCapabilities } from "../../offset-store.ts";
import { setClientClock } from "./client-clock.ts";
import type { OpenedStore, OpenStoreOptions, OpenTransaction, StoreHarness } from "./store-harness.ts";

/** Milliseconds that a case which failed waits for what it leaves: a store that never answers may not end closing either. */
const CLEAN_UP_MS = 15_000;

/** What a case works with: a store of its own, more clients on demand, and the times that suit the store's clock. */
export class ConformanceContext {
  readonly connection: "remote" | "embedded";
  readonly #harness: StoreHarness;
  readonly #namespace: string;
  readonly #clients: OpenedStore[];
  /** What a case that fails in the middle must not leave to the next one: open transactions, cut connections, a wrong clock. */
  readonly #unfinished = new Set<() => Promise<void>>();

  private constructor(harness: StoreHarness, namespace: string, first: OpenedStore) {
    this.connection = harness.connection;
    this.#harness = harness;
    this.#namespace = namespace;
    this.#clients = [first];
  }

  /** Opens the first client in a new namespace. */
  static async open(harness: StoreHarness): Promise<ConformanceContext> {
    const namespace = newNamespace();
    return new ConformanceContext(harness, namespace, await harness.open({ namespace }));
  }

  /** The first client. */
  get opened(): OpenedStore {
    const [first] = this.#clients;
    assert.ok(first, "the case has no client any more");
    return first;
  }

  /** The first client's store. */
  get store(): OffsetStore<unknown> {
    return this.opened.store;
  }

  get capabilities(): StoreCapabilities {
    return this.store.capabilities;
  }

  /** Whether the data outlives the client. */
  get durable(): boolean {
    return this.capabilities.durability !== "none";
  }

  /** Milliseconds after which a record expires soon, in steps that the store's clock can tell. */
  get shortTtl(): number {
    return Math.max(25, 2 * this.capabilities.expiry.granularityMs);
  }

  /** Milliseconds that a case never outlives. */
  get longTtl(): number {
    return 3_600_000;
  }

  /** One more client of the same data, closed at the end of the case. */
  async openAnother(options: Omit<OpenStoreOptions, "namespace"> = {}): Promise<OpenedStore> {
    return this.#open({ ...options, namespace: this.#namespace });
  }

  /** A client of another namespace, closed at the end of the case. By default one that has nothing in common with the case's. */
  async openElsewhere(nameAfter: (namespace: string) => string = newNamespace): Promise<OpenedStore> {
    return this.#open({ namespace: nameAfter(this.#namespace) });
  }

  /** Begins a transaction through the first client; one that is open at the end of the case is rolled back. */
  async beginTransaction(): Promise<OpenTransaction> {
    assert.ok(this.opened.beginTransaction, "a store with transactions needs a harness with `beginTransaction`");
    const open = await this.opened.beginTransaction();
    const rollback = this.#finishing(() => open.rollback());
    const commit = (): Promise<void> => {
      this.#unfinished.delete(rollback);
      return open.commit();
    };
    return { transaction: open.transaction, commit, rollback };
  }

  /** Cuts a client off; what is still cut off at the end of the case is restored. Gives what restores it. */
  async interrupt(client: OpenedStore): Promise<() => Promise<void>> {
    assert.ok(client.interrupt, "a remote store needs a harness with `interrupt`");
    return this.#finishing(await client.interrupt());
  }

  /** Has a client wait without an answer, likewise. */
  async silence(client: OpenedStore): Promise<() => Promise<void>> {
    assert.ok(client.silence, "a remote store needs a harness with `silence`");
    return this.#finishing(await client.silence());
  }

  /** Sets the clock of this process wrong; what is still wrong at the end of the case is set right. Gives what does it. */
  async setClientClock(skewMs: number): Promise<() => Promise<void>> {
    const setRight = await setClientClock(skewMs);
    return this.#finishing(async () => setRight());
  }

  /** Closes a client and opens it again with nothing but what the backend kept; `undefined` where nothing is durable. */
  async reopen(): Promise<OffsetStore<unknown> | undefined> {
    const { opened } = this;
    if (!this.durable) {
      assert.equal(
        opened.reopen,
        undefined,
        'a store with durability "none" has nothing to reopen: leave `reopen` out',
      );
      return undefined;
    }
    assert.ok(opened.reopen, 'a store whose durability is not "none" needs a harness with `reopen`');
    this.#clients[0] = await opened.reopen();
    return this.store;
  }

  /** Looks into the backend; `undefined` where nothing but the store itself could. */
  async peek(key: OffsetKey): Promise<boolean | undefined> {
    if (this.opened.peek === undefined) {
      assert.ok(!this.durable, 'a store whose durability is not "none" needs a harness with `peek`');
      return undefined;
    }
    return this.opened.peek(key);
  }

  /** Damages a record; false where a record has no form that could be damaged. */
  async corrupt(key: OffsetKey): Promise<boolean> {
    if (this.opened.corrupt === undefined) {
      assert.ok(!this.durable, 'a store whose durability is not "none" needs a harness with `corrupt`');
      return false;
    }
    await this.opened.corrupt(key);
    return true;
  }

  /** Ends what a failed case has begun and closes every client, for a while: what it found matters more than what this meets. */
  async abandon(): Promise<void> {
    const finishing = [...this.#unfinished].map(async (finish) => finish());
    const ended = Promise.allSettled(finishing).then(() => this.close());
    let timer: NodeJS.Timeout | undefined;
    const longEnough = new Promise((resolve) => (timer = setTimeout(resolve, CLEAN_UP_MS, undefined)));
    await Promise.race([ended.catch(() => undefined), longEnough]);
    clearTimeout(timer);
  }

  /** Closes every client; the first failure is thrown after the last attempt. */
  async close(): Promise<void> {
    const clients = this.#clients.toReversed();
    const results = await Promise.allSettled(clients.map((client) => client.close()));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #finishing(finish: () => Promise<void>): () => Promise<void> {
    const once = (): Promise<void> => (this.#unfinished.delete(once) ? finish() : Promise.resolve());
    this.#unfinished.add(once);
    return once;
  }

  async #open(options: OpenStoreOptions): Promise<OpenedStore> {
    const opened = await this.#harness.open(options);
    this.#clients.push(opened);
    return opened;
  }
}

function newNamespace(): string {
  return `conformance-${randomBytes(8).toString("hex")}`;
}
