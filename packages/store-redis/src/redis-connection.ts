import { ClientClosedError, ConnectionTimeoutError } from "redis";
import type {
  RedisClusterClient,
  RedisCommandOptions,
  RedisSentinelClient,
  RedisSingleClient,
  RedisStoreClient,
} from "./redis-client.ts";

/** A command that is about what the one before it wrote on the same connection (WAIT). */
export interface Following {
  readonly args: string[];
  /** Whether the first one wrote, by its reply. */
  isWritten(reply: unknown): boolean;
}

/** What came of both. */
export interface FollowedReply {
  readonly reply: unknown;
  /** `undefined`: not sent, or the connection was another one by then, and the answer would be about nothing. */
  readonly following: unknown;
}

/** One way to speak to the three kinds of clients. None of them sends again what a server may have carried out. */
export interface RedisConnection {
  readonly kind: "single" | "cluster" | "sentinel";
  readonly isOpen: boolean;
  /** Sends a command to the master that has the key. */
  send(key: string, args: string[], signal: AbortSignal): Promise<unknown>;
  /** Sends a command that is not taken back: cheaper. `undefined`: it might lie in the client's queue for long. */
  sendAtOnce?(args: string[]): Promise<unknown> | undefined;
  /** Sends a command and, if it wrote, one that follows it to the same node. */
  sendFollowed(key: string, args: string[], following: Following, signal: AbortSignal): Promise<FollowedReply>;
  /** Sends a command to each master. */
  sendToMasters(args: string[], signal: AbortSignal): Promise<unknown[]>;
}

/** Makes a connection of a client; `undefined` if it is none. */
export function connectionOf(client: RedisStoreClient): RedisConnection | undefined {
  if (typeof client !== "object" || client === null) return undefined;
  if ("getNodeClientForKey" in client) return new ClusterConnection(client);
  if ("getMasterNode" in client) return "_execute" in client ? new SentinelConnection(client) : undefined;
  return "sendCommand" in client ? new SingleConnection(client) : undefined;
}

/** How long a command waits until there is a connection that it can be sent on. */
const MAX_WAIT_MS = 5_000;

/** The store's types take the place of the client's mapping, and its deadline that of the client's for what is sent. */
const UNTIMED: RedisCommandOptions = Object.freeze({ typeMapping: {}, timeout: 0 });

function options(signal: AbortSignal): RedisCommandOptions {
  return { typeMapping: {}, timeout: MAX_WAIT_MS, abortSignal: signal };
}

/** Which of a client's sockets is in use: another one after each time it connected again. */
function socketOf(client: object): unknown {
  return (client as { socketEpoch?: unknown }).socketEpoch;
}

async function sendBoth(
  client: RedisSingleClient,
  args: string[],
  { args: next, isWritten }: Following,
  signal: AbortSignal,
): Promise<FollowedReply> {
  const socket = socketOf(client);
  const reply = await client.sendCommand(args, options(signal));
  if (!isWritten(reply)) return { reply, following: undefined };
  const answer = await client.sendCommand(next, options(signal));
  return { reply, following: socketOf(client) === socket ? answer : undefined };
}

/** So many unanswered commands, and a client that says it is connected may have no server on the other side. */
const MAX_UNANSWERED = 100;

class SingleConnection implements RedisConnection {
  readonly kind = "single";
  readonly #client: RedisSingleClient & { readonly isReady?: boolean };
  #unanswered = 0;

  constructor(client: RedisSingleClient) {
    this.#client = client;
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  send(_key: string, args: string[], signal: AbortSignal): Promise<unknown> {
    return this.#client.sendCommand(args, options(signal));
  }

  sendAtOnce(args: string[]): Promise<unknown> | undefined {
    if (this.#client.isReady !== true || this.#unanswered >= MAX_UNANSWERED) return undefined;
    this.#unanswered += 1;
    return this.#client.sendCommand(args, UNTIMED).then(
      (reply) => {
        this.#unanswered -= 1;
        return reply;
      },
      (error: unknown) => {
        this.#unanswered -= 1;
        throw error;
      },
    );
  }

  sendFollowed(_key: string, args: string[], following: Following, signal: AbortSignal): Promise<FollowedReply> {
    const run = (client: RedisSingleClient): Promise<FollowedReply> => sendBoth(client, args, following, signal);
    // A pool gives each command any of its connections.
    const { execute } = this.#client as { execute?: (task: typeof run) => ReturnType<typeof run> };
    return execute === undefined ? run(this.#client) : execute.call(this.#client, run);
  }

  async sendToMasters(args: string[], signal: AbortSignal): Promise<unknown[]> {
    return [await this.send("", args, signal)];
  }
}

const MAX_REDIRECTIONS = 16;

class ClusterConnection implements RedisConnection {
  readonly kind = "cluster";
  readonly #client: RedisClusterClient;

  constructor(client: RedisClusterClient) {
    this.#client = client;
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  send(key: string, args: string[], signal: AbortSignal): Promise<unknown> {
    return this.#client.sendCommand(key, false, args, options(signal));
  }

  /** Follows redirections itself: the client does not say where it went. */
  async sendFollowed(key: string, args: string[], following: Following, signal: AbortSignal): Promise<FollowedReply> {
    let node = await this.#client.getNodeClientForKey(key);
    let isAsked = false;
    for (let redirections = 0; ; redirections += 1) {
      try {
        // Goes right before the command. What became of it, the command's own reply says.
        if (isAsked) node.sendCommand(["ASKING"], options(signal)).catch(() => undefined);
        return await sendBoth(node, args, following, signal);
      } catch (error) {
        const [, kind, address = ""] = redirectionIn(error) ?? [];
        if (kind === undefined || redirections >= MAX_REDIRECTIONS) throw error;
        // The client is led the same way, and learns of a node that it does not know.
        await this.send(key, ["EXISTS", key], signal);
        const asked = kind === "ASK" ? this.#client.nodeByAddress.get(address) : undefined;
        isAsked = asked !== undefined;
        node = isAsked ? await this.#client.nodeClient(asked as never) : await this.#client.getNodeClientForKey(key);
      }
    }
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

function redirectionIn(error: unknown): RegExpExecArray | undefined {
  return (error instanceof Error && /^(MOVED|ASK) \d+ (\S+)/u.exec(error.message)) || undefined;
}

class SentinelConnection implements RedisConnection {
  readonly kind = "sentinel";
  readonly #client: RedisSentinelClient;
  #inFlight = 0;
  #begun: Promise<void> = Promise.resolve();

  constructor(client: RedisSentinelClient) {
    this.#client = client;
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  send(_key: string, args: string[], signal: AbortSignal): Promise<unknown> {
    return this.#onMaster((client) => client.sendCommand(args, options(signal)), signal);
  }

  sendFollowed(_key: string, args: string[], following: Following, signal: AbortSignal): Promise<FollowedReply> {
    return this.#onMaster((client) => sendBoth(client, args, following, signal), signal);
  }

  async sendToMasters(args: string[], signal: AbortSignal): Promise<unknown[]> {
    return [await this.send("", args, signal)];
  }

  async #onMaster<Result>(run: (client: RedisSingleClient) => Promise<Result>, signal: AbortSignal): Promise<Result> {
    // The client has no words for it.
    if (!this.#client.isOpen) throw new ClientClosedError();
    const { promise: late, reject } = Promise.withResolvers<never>();
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      reject(new ConnectionTimeoutError());
    }, MAX_WAIT_MS);
    const running = this.#onLease(async (client) => {
      clearTimeout(timer);
      try {
        if (isLate) throw new ConnectionTimeoutError();
        signal.throwIfAborted();
        return { result: await run(client) };
      } catch (error) {
        // The client does not get a broken connection's error: it would send again what may have been carried out.
        if (isReadOnly(error)) throw error;
        return { error };
      }
    });
    try {
      const outcome = await Promise.race([running, late]);
      if ("error" in outcome) throw outcome.error;
      return outcome.result;
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * The client gives each command that begins in the same moment a connection of its own, one after the other. Behind the
   * first one they all share its.
   */
  async #onLease<Outcome>(run: (client: RedisSingleClient) => Promise<Outcome>): Promise<Outcome> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#inFlight === 0) this.#begun = promise;
    else await this.#begun;
    this.#inFlight += 1;
    try {
      // oxlint-disable-next-line no-underscore-dangle -- what is public takes commands, and sends them again by itself
      return await this.#client._execute(false, (client) => {
        resolve();
        return run(client);
      });
    } finally {
      resolve();
      this.#inFlight -= 1;
    }
  }
}

/** A replica has refused the command: the client looks for the master and sends it there. */
function isReadOnly(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("READONLY");
}
