import {
  type API,
  apiVersionsV3,
  type Broker,
  Connection,
  type ConnectionOptions,
  ResponseError,
} from "@platformatic/kafka";
import { BrokerConnectionError } from "./kafka-errors.ts";

// Each call has a time limit of its own, because a fetch may wait long; the client's one would be the same for all.
const NO_LIMIT_MS = 2 ** 31 - 1;
// The first answer tells versions or mechanisms, which is some kilobytes.
const LONGEST_FIRST_ANSWER = 1_000_000;

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

  private constructor(address: string, connection: Connection) {
    this.address = address;
    this.#connection = connection;
  }

  /** Connects, authenticates, and asks what the broker can do. Rejects with a `BrokerConnectionError`. */
  static async open(broker: Broker, settings: ConnectionSettings): Promise<BrokerConnection> {
    const { host, port } = broker;
    const address = addressOf(broker);
    const { clientId, connectTimeoutMs, tls, sasl } = settings;
    const connection = new Connection(clientId, {
      connectTimeout: connectTimeoutMs,
      requestTimeout: NO_LIMIT_MS,
      maxInflights: 1_000,
      ...(tls !== undefined && { tls }),
      ...(sasl !== undefined && { sasl }),
    });
    // What is told by an event is told by a rejected call as well.
    connection.on("error", () => undefined);
    const opened = new BrokerConnection(address, connection);
    let surprise: BrokerConnectionError | undefined;
    try {
      const connecting = connection.connect(host, port);
      connection.socket.once("data", (chunk: Buffer) => {
        surprise = surpriseIn(chunk, address);
        if (surprise !== undefined) opened.close();
      });
      await connecting;
      const { apiKeys } = await opened.#send(apiVersionsV3.api, ["tidemark", "1"], connectTimeoutMs);
      for (const { apiKey, minVersion, maxVersion } of apiKeys)
        opened.#versions.set(apiKey, { minVersion, maxVersion });
      return opened;
    } catch (error) {
      opened.close();
      throw surprise ?? openingError(address, error);
    }
  }

  /** Whether it can still be used. */
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
      const message = `the broker ${this.address} cannot be asked: Kafka 3.0 or later is needed`;
      throw new BrokerConnectionError("version", this.address, message);
    }
    return this.#send(api, question, timeoutMs);
  }

  /** Drops the connection; what is awaited on it rejects. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { socket } = this.#connection;
    socket?.on("error", () => undefined);
    socket?.destroy();
    // While it still connects, nobody listens to the socket yet.
    if (!this.#connection.isConnected()) this.#connection.emit("close");
  }

  async #send<Question extends unknown[], Answer>(
    api: API<Question, Answer>,
    question: Question,
    timeoutMs: number,
  ): Promise<Answer> {
    const { address } = this;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const timer = setTimeout(() => {
      reject(
        new BrokerConnectionError("timeout", address, `the broker ${address} gave no answer within ${timeoutMs} ms`),
      );
      this.close();
    }, timeoutMs);
    const callback = (error: Error | null, answer?: Answer): void => {
      if (error === null) resolve(answer as Answer);
      else if (error instanceof ResponseError) resolve(error["response"] as Answer);
      else reject(connectionError(address, error));
    };
    try {
      (api as unknown as (...parameters: unknown[]) => void)(this.#connection, ...question, callback);
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }
}

/** A broker as people write it. */
export function addressOf({ host, port }: Broker): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** What the client says of a failing connection, as one of a few kinds. */
function connectionError(address: string, error: unknown): BrokerConnectionError {
  if (error instanceof BrokerConnectionError) return error;
  const chain = causesOf(error);
  const codes = chain.map((cause) => ("code" in cause ? String(cause.code) : ""));
  const tls = chain.find(
    ({ message }, index) => /\bTLS\b|certificate/.test(message) || /SSL|TLS|CERT|SIGNED/.test(codes[index] ?? ""),
  );
  if (tls !== undefined) {
    return new BrokerConnectionError("tls", address, `no TLS connection with ${address}: ${tls.message}`, error);
  }
  const authentication = codes.indexOf("PLT_KFK_AUTHENTICATION");
  // A connection that is lost in the middle of it says nothing of the credentials.
  if (authentication !== -1 && !codes.includes("PLT_KFK_NETWORK", authentication)) {
    return new BrokerConnectionError("credentials", address, `the broker ${address} refused the credentials`, error);
  }
  const system = codes.find((code) => /^E[A-Z_]+$/.test(code));
  if (codes.includes("PLT_KFK_NETWORK")) {
    const why = system === undefined ? "" : ` (${system})`;
    return new BrokerConnectionError("lost", address, `the connection to ${address} was lost${why}`, error);
  }
  const deepest = chain.at(-1)?.message ?? String(error);
  return new BrokerConnectionError("answer", address, `the answer of ${address} could not be read: ${deepest}`, error);
}

/** The same of a connection that never came about: nothing was asked on it. */
function openingError(address: string, error: unknown): BrokerConnectionError {
  const known = connectionError(address, error);
  if (known.failure !== "lost") return known;
  const system = causesOf(error).flatMap((cause) => ("code" in cause ? String(cause.code) : []));
  const why = system.find((code) => /^E[A-Z_]+$/.test(code)) ?? "it was not made in time, or ended at once";
  return new BrokerConnectionError("unreachable", address, `no connection to ${address} (${why})`, error);
}

function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && chain.length < 10; at = at.cause) {
    chain.push(at);
    if (at instanceof AggregateError) chain.push(...at.errors.filter((inner) => inner instanceof Error));
  }
  return chain;
}

/** What the first bytes give away, if they are no short answer of Kafka's. With TLS they come deciphered. */
function surpriseIn(chunk: Buffer, address: string): BrokerConnectionError | undefined {
  const [first = 0, second] = chunk;
  if (first >= 0x14 && first <= 0x17 && second === 0x03) {
    return new BrokerConnectionError("tls", address, `the broker ${address} wants TLS`);
  }
  if (chunk.length >= 4 && chunk.readUInt32BE(0) <= LONGEST_FIRST_ANSWER) return undefined;
  return new BrokerConnectionError("stranger", address, `what listens on ${address} does not speak Kafka's protocol`);
}
