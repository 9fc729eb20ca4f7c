import { assert } from "../assert.ts";
import { randomInt } from "node:crypto";

import type { OffsetKey } from "../../key.ts";
import type { OffsetStore, StoreCapabilities } from "../../offset-store.ts";
import { CaseClients, newNamespace } from "../case-clients.ts";
import { openStore } from "./open-store.ts";
import { type Peer, startPeer } from "./peer-process.ts";
import type { OpenedStore, OpenStoreOptions, StoreHarness } from "./store-harness.ts";

/** What a case works with: a store of its own, more clients on demand, and the times that suit the store's clock. */
export class ConformanceContext extends CaseClients<OpenedStore, OpenStoreOptions> {
  /** The seed of random choices; a failure's message has it, and it can be given again. */
  readonly seed: number;
  readonly #module: string | undefined;

  private constructor(harness: StoreHarness, namespace: string, first: OpenedStore, seed: number) {
    super(harness, namespace, first);
    this.seed = seed;
    this.#module = harness.module;
  }

  /** Opens the first client in a new namespace. */
  static async open(harness: StoreHarness, seed: number = randomInt(2 ** 31)): Promise<ConformanceContext> {
    const namespace = newNamespace();
    return new ConformanceContext(harness, namespace, await openStore(harness, { namespace }), seed);
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

  /** Milliseconds after which a record expires soon, in steps that the store's clock distinguishes. */
  get shortTtl(): number {
    return Math.max(25, 2 * this.capabilities.expiry.granularityMs);
  }

  /** Milliseconds that a case never outlives. */
  get longTtl(): number {
    return 3_600_000;
  }

  /** Starts a process with one more client of the same data, ended with the case; `undefined` where there cannot be one. */
  async startPeer(): Promise<Peer | undefined> {
    if (!this.durable) this.notPromised('durability: "none"');
    else if (this.#module === undefined) this.notTried("module");
    if (!this.durable || this.#module === undefined) return undefined;
    const peer = startPeer(this.#module, this.namespace);
    const close = this.finishing(() => peer.close());
    await peer.opened;
    return { commit: (tasks) => peer.commit(tasks), close };
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
    this.replaceFirst(await opened.reopen());
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
}
