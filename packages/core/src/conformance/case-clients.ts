import { randomBytes } from "node:crypto";

import { assert } from "./assert.ts";
import { openInTime } from "./open-in-time.ts";
import type { OffsetKey } from "../key.ts";
import type { StoreCapabilities } from "../offset-store.ts";
import { setClientClock } from "./store/client-clock.ts";
import type { OpenTransaction } from "./store/store-harness.ts";
import type { Untried } from "./untried.ts";

/** Milliseconds that a case which failed waits for what it leaves: a store that never answers may not end closing either. */
const CLEAN_UP_MS = 15_000;

/** One client of a backend, as a harness opens it: of a store, or of a driver. */
export interface CaseClient {
  readonly store: { readonly capabilities: StoreCapabilities };
  close(): Promise<void>;
  interrupt?(): Promise<() => Promise<void>>;
  silence?(): Promise<() => Promise<void>>;
  loseAnswers?(): Promise<() => Promise<void>>;
  beginTransaction?(): Promise<OpenTransaction>;
  makeUnreadable?(key: OffsetKey): Promise<() => Promise<void>>;
  makeUnavailable?(): Promise<() => Promise<void>>;
}

/** What opens clients for a case. */
export interface CaseHarness<Client extends CaseClient, Options extends { readonly namespace: string }> {
  readonly connection: "remote" | "embedded";
  open(options: Options): Promise<Client>;
}

/** The clients that a case works with, and what it must not leave behind. */
export class CaseClients<Client extends CaseClient, Options extends { readonly namespace: string }> {
  readonly connection: "remote" | "embedded";
  readonly #harness: CaseHarness<Client, Options>;
  protected readonly namespace: string;
  readonly #clients: Client[];
  /** What a case that fails in the middle must not leave to the next one: open transactions, cut connections, a wrong clock. */
  readonly #unfinished = new Set<() => Promise<void>>();
  #untried: Untried | undefined;

  protected constructor(harness: CaseHarness<Client, Options>, namespace: string, first: Client) {
    this.connection = harness.connection;
    this.#harness = harness;
    this.namespace = namespace;
    this.#clients = [first];
  }

  /** The first client. */
  get opened(): Client {
    const [first] = this.#clients;
    assert.ok(first, "the case has no client any more");
    return first;
  }

  /** What the case had nothing to look at for, if it said so. */
  get untried(): Untried | undefined {
    return this.#untried;
  }

  /** Says that the case has nothing to look at: the store does not promise what it is about. */
  notPromised(what: string): void {
    this.#untried = { status: "not-promised", reason: what };
  }

  /** Says that the case cannot look: the harness lacks a member that would bring about what it is about. */
  notTried(member: string): void {
    this.#untried = { status: "not-tried", reason: member };
  }

  /** Whether something lies between the store and its data; where nothing does the case says that it has nothing to look at. */
  isRemote(): boolean {
    if (this.connection === "remote") return true;
    this.notPromised('connection: "embedded"');
    return false;
  }

  /** Whether the store takes part in its caller's transactions; where it does not the case says so, likewise. */
  hasTransactions(): boolean {
    const { transactions } = this.opened.store.capabilities;
    if (!transactions) this.notPromised("transactions: false");
    return transactions;
  }

  /** One more client of the same data, closed at the end of the case. */
  async openAnother(options?: Omit<Options, "namespace">): Promise<Client> {
    return this.#open({ ...options, namespace: this.namespace } as Options);
  }

  /** A client of another namespace, closed at the end of the case. By default one that has nothing in common with the case's. */
  async openElsewhere(nameAfter: (namespace: string) => string = newNamespace): Promise<Client> {
    return this.#open({ namespace: nameAfter(this.namespace) } as Options);
  }

  /** Begins a transaction through the first client; one that is open at the end of the case is rolled back. */
  async beginTransaction(): Promise<OpenTransaction> {
    assert.ok(this.opened.beginTransaction, "where there are transactions a harness needs `beginTransaction`");
    const open = await this.opened.beginTransaction();
    const rollback = this.finishing(() => open.rollback());
    const commit = (): Promise<void> => {
      this.#unfinished.delete(rollback);
      return open.commit();
    };
    return { transaction: open.transaction, commit, rollback };
  }

  /** Cuts a client off; what is still cut off at the end of the case is restored. Gives what restores it. */
  async interrupt(client: Client): Promise<() => Promise<void>> {
    assert.ok(client.interrupt, "a remote backend needs a harness with `interrupt`");
    return this.finishing(await client.interrupt());
  }

  /** Has a client wait without an answer, likewise. */
  async silence(client: Client): Promise<() => Promise<void>> {
    assert.ok(client.silence, "a remote backend needs a harness with `silence`");
    return this.finishing(await client.silence());
  }

  /** Has the answers to a client get lost, likewise. */
  async loseAnswers(client: Client): Promise<() => Promise<void>> {
    assert.ok(client.loseAnswers, "a remote backend needs a harness with `loseAnswers`");
    return this.finishing(await client.loseAnswers());
  }

  /**
   * Has the backend fail to give what lies under a key, likewise. `undefined` where the harness has no way to: then the case
   * has said so.
   */
  async makeUnreadable(key: OffsetKey): Promise<(() => Promise<void>) | undefined> {
    const { opened } = this;
    if (opened.makeUnreadable === undefined) return this.#lacks("makeUnreadable");
    return this.finishing(await opened.makeUnreadable(key));
  }

  /** Takes a client's whole backend away, likewise: a remote one by cutting it off. */
  async makeUnavailable(client: Client): Promise<(() => Promise<void>) | undefined> {
    if (this.connection === "remote") return this.interrupt(client);
    assert.equal(client.interrupt, undefined, "an embedded store has no connection to cut: leave `interrupt` out");
    if (client.makeUnavailable === undefined) return this.#lacks("makeUnavailable");
    return this.finishing(await client.makeUnavailable());
  }

  /** Sets the clock of this process wrong; what is still wrong at the end of the case is set right. Gives what does it. */
  async setClientClock(skewMs: number): Promise<() => Promise<void>> {
    const setRight = await setClientClock(skewMs);
    return this.finishing(async () => setRight());
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

  /** Takes another client for the first. */
  protected replaceFirst(client: Client): void {
    this.#clients[0] = client;
  }

  /** What ends something that was begun: called by the case, or at its end if that fails. */
  protected finishing(finish: () => Promise<void>): () => Promise<void> {
    const once = (): Promise<void> => (this.#unfinished.delete(once) ? finish() : Promise.resolve());
    this.#unfinished.add(once);
    return once;
  }

  #lacks(member: string): undefined {
    // What lives and dies with its client has no backend that could fail it.
    if (this.opened.store.capabilities.durability === "none") this.notPromised('durability: "none"');
    else this.notTried(member);
  }

  async #open(options: Options): Promise<Client> {
    const opened = await openInTime(() => this.#harness.open(options));
    this.#clients.push(opened);
    return opened;
  }
}

/** A namespace that nothing has used. */
export function newNamespace(): string {
  return `conformance-${randomBytes(8).toString("hex")}`;
}
