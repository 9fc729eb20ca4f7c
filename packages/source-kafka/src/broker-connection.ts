import { isIP } from "node:net";
import {
  type API,
  type Broker,
  Connection,
  type ConnectionOptions,
  protocolAPIsById,
  ResponseError,
} from "@platformatic/kafka";
import { untilAborted } from "./cancellation.ts";
import { connectionError, openingError, surpriseIn } from "./connection-failures.ts";
import { API_VERSIONS, OLDEST_API_VERSIONS } from "./kafka-apis.ts";
import { BrokerConnectionError, throwIfRefused, UNSUPPORTED_VERSION } from "./kafka-errors.ts";

// The longest that a timer waits. Each call has a time limit of its own, because a fetch may wait long; the client's one would
// be the same for all.
const NO_LIMIT_MS = 2 ** 31 - 1;

/** How brokers are connected to. */
export interface ConnectionSettings {
  readonly clientId: string;
  readonly connectTimeoutMs: number;
  readonly tls: ConnectionOptions["tls"];
  readonly sasl: ConnectionOptions["sasl"];
}

interface VersionRange {
  readonly minVersion: number;
  readonly maxVersion: number;
}

/** One connection to one broker. A broker answers the requests of a connection one after the other. */
export class BrokerConnection {
  /** `HOST:PORT`. */
  readonly address: string;
  readonly #connection: Connection;
  readonly #versions = new Map<number, VersionRange>();
  #closed = false;
  readonly #calls = new Set<Promise<unknown>>();

  private constructor(address: string, connection: Connection) {
    this.address = address;
    this.#connection = connection;
  }

  /** Connects, authenticates, and asks what the broker can do. Rejects with a `BrokerConnectionError`, at once when the log closes. */
  static async open(broker: Broker, settings: ConnectionSettings, closing: AbortSignal): Promise<BrokerConnection> {
    const { host, port } = broker;
    const address = addressOf(broker);
    const { clientId, connectTimeoutMs, tls, sasl } = settings;
    const connection = new Connection(clientId, {
      connectTimeout: connectTimeoutMs,
      requestTimeout: NO_LIMIT_MS,
      maxInflights: 1_000,
      ...(tls !== undefined && { tls }),
      // Brokers behind one address are distinguished by the name that a client asks for; an IP address is no such name.
      ...(tls !== undefined && tls.servername === undefined && isIP(host) === 0 && { tlsServerName: host }),
      ...(sasl !== undefined && { sasl }),
    });
    // What an event reports, a rejected call reports as well.
    connection.on("error", () => undefined);
    const opened = new BrokerConnection(address, connection);
    // The client would authenticate again on a connection that has ended, and wait for the answer.
    connection.on("close", () => opened.close());
    let surprise: BrokerConnectionError | undefined;
    try {
      const connecting = connection.connect(host, port);
      connection.socket.once("data", (chunk: Buffer) => {
        surprise = surpriseIn(chunk, address);
        if (surprise !== undefined) opened.close();
      });
      await untilAborted(Promise.resolve(connecting), closing);
      await untilAborted(opened.#askVersions(connectTimeoutMs), closing);
      return opened;
    } catch (error) {
      opened.close();
      closing.throwIfAborted();
      throw surprise ?? openingError(address, error, settings);
    }
  }

  /** Whether it can be used now: not after its end, nor while it authenticates again. */
  get usable(): boolean {
    return !this.#closed && this.#connection.isConnected();
  }

  /**
   * Sends a request in the newest version that both sides know. Refusals within the answer are the caller's to look at.
   * When the time is up the connection is closed, because what comes next on it would be the late answer.
   */
  async call<Question extends unknown[], Answer>(
    versions: readonly API<Question, Answer>[],
    question: Question,
    timeoutMs: number,
  ): Promise<Answer> {
    const api = versions.find(({ key, version }) => {
      const range = this.#versions.get(key);
      return range !== undefined && range.minVersion <= version && version <= range.maxVersion;
    });
    if (api === undefined) {
      throw new BrokerConnectionError("version", this.address, unknownRequest(this.address, versions, this.#versions));
    }
    return this.#send(api, question, timeoutMs);
  }

  /** Drops the connection; what is awaited on it rejects. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const connection = this.#connection;
    const { socket } = connection;
    const isOpen = connection.isConnected();
    // Ends the timer that authenticates again, too. It would wait until everything is written.
    connection.close(() => undefined);
    socket?.on("error", () => undefined);
    socket?.destroy();
    // While it still connects, the socket has no listener yet.
    if (!isOpen) connection.emit("close");
  }

  /** Drops the connection when its last call is answered, or the signal ends that wait: another one is used from now on. */
  async retire(closing: AbortSignal): Promise<void> {
    await untilAborted(Promise.allSettled(this.#calls), closing).catch(() => undefined);
    this.close();
  }

  async #askVersions(timeoutMs: number): Promise<void> {
    const self: [string, string] = ["tidemark", "1"];
    const newest = await this.#send(API_VERSIONS, self, timeoutMs);
    const isTooNew = newest.errorCode === UNSUPPORTED_VERSION;
    const { errorCode, apiKeys } = isTooNew ? await this.#send(OLDEST_API_VERSIONS, self, timeoutMs) : newest;
    throwIfRefused(errorCode);
    for (const { apiKey, minVersion, maxVersion } of apiKeys) {
      this.#versions.set(apiKey, { minVersion, maxVersion });
    }
  }

  async #send<Question extends unknown[], Answer>(
    api: API<Question, Answer>,
    question: Question,
    timeoutMs: number,
  ): Promise<Answer> {
    const { address } = this;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const timer = setTimeout(
      () => {
        reject(
          new BrokerConnectionError("timeout", address, `the broker ${address} gave no answer within ${timeoutMs} ms`),
        );
        this.close();
      },
      Math.min(timeoutMs, NO_LIMIT_MS),
    );
    const callback = (error: Error | null, answer?: Answer): void => {
      if (error === null) resolve(answer as Answer);
      else if (error instanceof ResponseError) resolve(error["response"] as Answer);
      else reject(connectionError(address, error));
    };
    this.#calls.add(promise);
    try {
      (api as unknown as (...parameters: unknown[]) => void)(this.#connection, ...question, callback);
      return await promise;
    } finally {
      clearTimeout(timer);
      this.#calls.delete(promise);
    }
  }
}

/** A broker as people write it. */
export function addressOf({ host, port }: Broker): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** Says which request a broker does not know, and what it would have to be. */
function unknownRequest(
  address: string,
  versions: readonly { readonly key: number; readonly version: number }[],
  known: ReadonlyMap<number, VersionRange>,
): string {
  const { key = -1, version: newest = -1 } = versions[0] ?? {};
  const oldest = versions.at(-1)?.version ?? newest;
  const range = known.get(key);
  const name = protocolAPIsById[key] ?? `request ${key}`;
  if (range === undefined) {
    return `${address} does not support ${name}: it must be Kafka 1.0 or later, and the address its listener for clients`;
  }
  const has = `${address} supports ${name} in the versions ${range.minVersion} to ${range.maxVersion}`;
  return range.minVersion > newest
    ? `${has}, which are newer than ${newest}: update @tidemark/source-kafka`
    : `${has}, which are older than ${oldest}: it must be Kafka 1.0 or later`;
}
