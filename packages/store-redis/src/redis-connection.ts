import { setTimeout as delay } from "node:timers/promises";
import { ClientClosedError } from "redis";
import type {
  RedisClusterClient,
  RedisCommandOptions,
  RedisSentinelClient,
  RedisSentinelLease,
  RedisSingleClient,
  RedisStoreClient,
} from "./redis-client.ts";

/** How long to wait for two keys of one slot to come together again. */
const MOVING_MS = 25;

/** Sends one command to where a key is. */
export type Send = (key: string, args: string[]) => Promise<unknown>;

/** What came of a write and of a command after it on the same connection. */
export interface FollowedReply<Reply> {
  readonly reply: Reply;
  /** `undefined`: the connection was another one by then, and the answer would be about nothing. */
  readonly following: unknown;
}

/** One way to speak to the three kinds of clients. */
export interface RedisConnection {
  readonly kind: "single" | "cluster" | "sentinel";
  readonly isOpen: boolean;
  /** Sends a command to the master that has the key. */
  send(key: string, args: string[], signal: AbortSignal): Promise<unknown>;
  /** Sends a write and, when it is answered, a command that is about what its connection wrote (WAIT). */
  sendFollowed<Reply>(
    key: string,
    write: (send: Send) => Promise<Reply>,
    following: string[],
    signal: AbortSignal,
  ): Promise<FollowedReply<Reply>>;
  /** Sends a command to each master. */
  sendToMasters(args: string[], signal: AbortSignal): Promise<unknown[]>;
  /** Gives back what it has borrowed of the client. */
  release?(): Promise<void>;
}

/** Makes a connection of a client; `undefined` if it is none. */
export function connectionOf(client: RedisStoreClient): RedisConnection | undefined {
  if (typeof client !== "object" || client === null) return undefined;
  if ("getNodeClientForKey" in client) return new ClusterConnection(client);
  if ("acquire" in client && "getMasterNode" in client) return new SentinelConnection(client);
  return "sendCommand" in client ? new SingleConnection(client) : undefined;
}

/** The store's own deadline takes the place of the client's, and its types that of the client's mapping. */
function options(signal: AbortSignal): RedisCommandOptions {
  return { abortSignal: signal, typeMapping: {}, timeout: 0 };
}

/** Which of a client's sockets is in use: another one after each time it connected again. */
function socketOf(client: object): unknown {
  return (client as { socketEpoch?: unknown }).socketEpoch;
}

class SingleConnection implements RedisConnection {
  readonly kind = "single";
  readonly #client: RedisSingleClient;

  constructor(client: RedisSingleClient) {
    this.#client = client;
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  send(_key: string, args: string[], signal: AbortSignal): Promise<unknown> {
    return this.#client.sendCommand(args, options(signal));
  }

  async sendFollowed<Reply>(
    _key: string,
    write: (send: Send) => Promise<Reply>,
    following: string[],
    signal: AbortSignal,
  ): Promise<FollowedReply<Reply>> {
    const run = async (client: RedisSingleClient): Promise<FollowedReply<Reply>> => {
      const socket = socketOf(client);
      const reply = await write((_, args) => client.sendCommand(args, options(signal)));
      const answer = await client.sendCommand(following, options(signal));
      return { reply, following: socketOf(client) === socket ? answer : undefined };
    };
    // A pool gives each command any of its connections.
    const { execute } = this.#client as { execute?: (task: typeof run) => ReturnType<typeof run> };
    return execute === undefined ? run(this.#client) : execute.call(this.#client, run);
  }

  async sendToMasters(args: string[], signal: AbortSignal): Promise<unknown[]> {
    return [await this.send("", args, signal)];
  }
}

class ClusterConnection implements RedisConnection {
  readonly kind = "cluster";
  readonly #client: RedisClusterClient;

  constructor(client: RedisClusterClient) {
    this.#client = client;
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  async send(key: string, args: string[], signal: AbortSignal): Promise<unknown> {
    for (;;) {
      try {
        return await this.#client.sendCommand(key, false, args, options(signal));
      } catch (error) {
        // While a slot moves, its keys are for a moment on two nodes. Nothing was carried out, and it is soon over.
        if (!(error instanceof Error) || !error.message.startsWith("TRYAGAIN")) throw error;
        await delay(MOVING_MS, undefined, { signal });
      }
    }
  }

  async sendFollowed<Reply>(
    key: string,
    write: (send: Send) => Promise<Reply>,
    following: string[],
    signal: AbortSignal,
  ): Promise<FollowedReply<Reply>> {
    const before = await this.#client.getNodeClientForKey(key);
    const socket = socketOf(before);
    const reply = await write((_, args) => this.send(key, args, signal));
    const after = await this.#client.getNodeClientForKey(key);
    const answer = await after.sendCommand(following, options(signal));
    return { reply, following: after === before && socketOf(after) === socket ? answer : undefined };
  }

  sendToMasters(args: string[], signal: AbortSignal): Promise<unknown[]> {
    return Promise.all(
      this.#client.masters.map(async (master) => {
        const client = await this.#client.nodeClient(master as never);
        return client.sendCommand(args, options(signal));
      }),
    );
  }
}

class SentinelConnection implements RedisConnection {
  readonly kind = "sentinel";
  readonly #client: RedisSentinelClient;
  /** Held for good where writes are followed by WAIT: to borrow a connection each time costs a hundred commits. */
  #lease: Promise<RedisSentinelLease> | undefined;
  #inFlight = 0;
  #begun: Promise<void> | undefined;

  constructor(client: RedisSentinelClient) {
    this.#client = client;
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  async send(_key: string, args: string[], signal: AbortSignal): Promise<unknown> {
    if (this.#lease !== undefined) return this.#sendLeased(args, signal);
    this.#refuseIfClosed();
    // The client gives each command that begins in the same moment a connection of its own, one after the other. Behind
    // the first one they all share its.
    if (this.#inFlight === 0) this.#begun = new Promise((resolve) => setImmediate(resolve));
    else await this.#begun;
    this.#inFlight += 1;
    try {
      return await this.#client.sendCommand(false, args, options(signal));
    } finally {
      this.#inFlight -= 1;
    }
  }

  async sendFollowed<Reply>(
    _key: string,
    write: (send: Send) => Promise<Reply>,
    following: string[],
    signal: AbortSignal,
  ): Promise<FollowedReply<Reply>> {
    const master = (): string => JSON.stringify(this.#client.getMasterNode());
    this.#refuseIfClosed();
    this.#lease ??= this.#client.acquire();
    const before = master();
    const reply = await write((_, args) => this.#sendLeased(args, signal));
    const answer = await this.#sendLeased(following, signal);
    return { reply, following: master() === before ? answer : undefined };
  }

  async sendToMasters(args: string[], signal: AbortSignal): Promise<unknown[]> {
    return [await this.send("", args, signal)];
  }

  async release(): Promise<void> {
    await (await this.#lease)?.release();
  }

  /** The client has no words for it. */
  #refuseIfClosed(): void {
    if (!this.#client.isOpen) throw new ClientClosedError();
  }

  async #sendLeased(args: string[], signal: AbortSignal): Promise<unknown> {
    const lease = await this.#lease;
    signal.throwIfAborted();
    return lease?.sendCommand(false, args, options(signal));
  }
}
