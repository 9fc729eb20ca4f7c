import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import { HttpReader } from "./http-reader.ts";
import { KafkaReader } from "./kafka-reader.ts";
import { MongoReader } from "./mongo-reader.ts";
import { PostgresReader } from "./postgres-reader.ts";
import { type AnswerRoom, ProxiedConnection, type RequestFate } from "./proxied-connection.ts";
import { RespReader } from "./resp-reader.ts";
import type { WireProtocolName, WireReader, WireRequest } from "./wire-protocol.ts";

/** Where a proxy leads to, and what it understands of what passes. */
export interface TcpProxyOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  readonly port: number;
  /** Needed to count requests, and to cut at one. Without it bytes are bytes. */
  readonly protocol?: WireProtocolName;
}

/** Where to cut, and how it continues. */
export interface CutOptions {
  /**
   * The first request for which this is true. Absent: the next one. Within answers: every such request until the cut; what
   * is planned later for the same requests waits for it.
   */
  readonly match?: (request: WireRequest) => boolean;
  /** Whether everything is cut, and stays so until `restore()`. Default false: only the connection of the request is. */
  readonly stayCut?: boolean;
}

/**
 * A proxy on 127.0.0.1 between a client and a server, with the faults of networks to order.
 *
 * One means for all of them: toxiproxy can cut and delay too, but not at a request that it would have to read.
 */
export interface TcpProxy extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** How many clients are connected now. */
  readonly connections: number;
  /** The requests that went on to the server, in order, since the last `takeRequests()`. */
  readonly requests: readonly WireRequest[];
  /** Gives `requests` and forgets them. */
  takeRequests(): WireRequest[];
  /** Resets every connection; a new one is accepted and works. */
  dropConnections(): void;
  /** Resets every connection, and each new one at once. */
  cut(): void;
  /** From now on bytes vanish both ways; new connections are accepted and never answered. */
  silence(): void;
  /** Ends `cut`, `silence` and `delay`. Connections on which bytes may have vanished are reset: they cannot continue. */
  restore(): void;
  /** Holds back what the server says, for so many milliseconds each time. */
  delay(milliseconds: number): void;
  /** Cuts before a byte of the request reaches the server. Resolves when it happened. */
  cutBeforeRequest(options?: CutOptions): Promise<WireRequest>;
  /**
   * Lets a request pass, waits for its answer, and cuts instead of handing it on. If the connection ends before, the next
   * such request is cut instead. Resolves when it happened.
   */
  cutAfterRequest(options?: CutOptions): Promise<WireRequest>;
  /**
   * Lets requests pass, and so many bytes of what is answered from the first one on, on the connections of such requests
   * together; then cuts the connection on which the next byte would pass. An answer that is no longer than that passes
   * whole, and the cut comes in a later one. Resolves when it happened.
   */
  cutWithinAnswer(bytes: number, options?: CutOptions): Promise<WireRequest>;
  /** Ends everything. Rejects if bytes came that are not those of the protocol. */
  close(): Promise<void>;
}

interface PlannedCut {
  readonly fate: RequestFate;
  /** How much of the answers passes, where it is cut within. */
  readonly room: AnswerRoom;
  readonly options: CutOptions;
  readonly done: (request: WireRequest) => void;
}

/** Opens a proxy on a free port. */
export async function openTcpProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  const proxy = new LoopbackProxy(options);
  await proxy.listen();
  return proxy;
}

class LoopbackProxy implements TcpProxy {
  readonly host = "127.0.0.1";
  readonly #options: TcpProxyOptions;
  readonly #listener: Server;
  readonly #connections = new Set<ProxiedConnection>();
  #cuts: PlannedCut[] = [];
  #requests: WireRequest[] = [];
  #mode: "forward" | "cut" | "silent" = "forward";
  #delayMs = 0;
  #unreadable: unknown;
  #port = 0;
  #closing: Promise<void> | undefined;

  constructor(options: TcpProxyOptions) {
    this.#options = options;
    this.#listener = createServer({ allowHalfOpen: true }, (socket) => {
      if (this.#mode === "cut") {
        socket.on("error", () => undefined);
        socket.resetAndDestroy();
        return;
      }
      const { host = "127.0.0.1", port, protocol } = options;
      const planned = new WeakMap<WireRequest, PlannedCut>();
      const connection: ProxiedConnection = new ProxiedConnection(socket, {
        target: { host, port },
        reader: protocol === undefined ? undefined : readerOf(protocol),
        silent: () => this.#mode === "silent",
        delayMs: () => this.#delayMs,
        fateOf: (request) => {
          const cut = this.#takeCut(request);
          if (cut?.fate !== "cut-before") this.#requests.push(request);
          if (cut === undefined) return "forward";
          planned.set(request, cut);
          return cut.fate;
        },
        roomOf: (request) => planned.get(request)?.room ?? { bytesLeft: 0 },
        onUncut: (request) => {
          const cut = planned.get(request);
          if (cut !== undefined) this.#cuts.unshift(cut);
        },
        onCut: (request) => {
          const cut = planned.get(request);
          if (cut?.options.stayCut === true) this.cut();
          cut?.done(request);
        },
        onUnreadable: (error) => (this.#unreadable ??= error),
        onClose: () => void this.#connections.delete(connection),
      });
      this.#connections.add(connection);
    });
  }

  async listen(): Promise<void> {
    this.#listener.listen(0, this.host);
    await once(this.#listener, "listening");
    this.#port = (this.#listener.address() as AddressInfo).port;
  }

  get port(): number {
    return this.#port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  get requests(): readonly WireRequest[] {
    return this.#requests;
  }

  takeRequests(): WireRequest[] {
    const requests = this.#requests;
    this.#requests = [];
    return requests;
  }

  dropConnections(): void {
    for (const connection of this.#connections) connection.cut();
  }

  cut(): void {
    this.#mode = "cut";
    this.dropConnections();
  }

  silence(): void {
    this.#mode = "silent";
  }

  restore(): void {
    if (this.#mode === "silent") this.dropConnections();
    this.#mode = "forward";
    this.#delayMs = 0;
  }

  delay(milliseconds: number): void {
    this.#delayMs = milliseconds;
  }

  cutBeforeRequest(options: CutOptions = {}): Promise<WireRequest> {
    return this.#planCut("cut-before", options);
  }

  cutAfterRequest(options: CutOptions = {}): Promise<WireRequest> {
    return this.#planCut("cut-after", options);
  }

  cutWithinAnswer(bytes: number, options: CutOptions = {}): Promise<WireRequest> {
    return this.#planCut("cut-within", options, bytes);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const closed = once(this.#listener, "close");
    this.#listener.close();
    this.dropConnections();
    await closed;
    if (this.#unreadable !== undefined) {
      throw new Error(`what passed the proxy was not ${this.#options.protocol}`, { cause: this.#unreadable });
    }
  }

  #planCut(fate: RequestFate, options: CutOptions, answerBytes = 0): Promise<WireRequest> {
    if (this.#options.protocol === undefined) throw new TypeError("name the protocol: requests cannot be told apart");
    const { promise, resolve } = Promise.withResolvers<WireRequest>();
    this.#cuts.push({ fate, room: { bytesLeft: answerBytes }, options, done: resolve });
    return promise;
  }

  #takeCut(request: WireRequest): PlannedCut | undefined {
    this.#cuts = this.#cuts.filter(({ room }) => room.bytesLeft >= 0);
    const cut = this.#cuts.find(({ options }) => options.match?.(request) ?? true);
    // Where it is cut within an answer, that may be the answer to any such request: the first one's may be too short.
    if (cut !== undefined && cut.fate !== "cut-within") this.#cuts = this.#cuts.filter((other) => other !== cut);
    return cut;
  }
}

function readerOf(protocol: WireProtocolName): WireReader {
  switch (protocol) {
    case "resp":
      return new RespReader();
    case "mongo":
      return new MongoReader();
    case "postgres":
      return new PostgresReader();
    case "kafka":
      return new KafkaReader();
    case "http":
      return new HttpReader();
  }
}
