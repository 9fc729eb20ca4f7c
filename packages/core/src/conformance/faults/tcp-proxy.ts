import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { validateKnownOptions, validateName, validateWholeNumber } from "../../driver/validation.ts";

/** Where a proxy leads to. */
export interface TcpProxyOptions {
  /** Default `127.0.0.1`. */
  readonly host?: string;
  readonly port: number;
}

/**
 * A proxy on 127.0.0.1 between a client and a server, with the faults of networks to order: what the harness of a remote store
 * needs for `interrupt`, `silence` and `loseAnswers`; `connectionFaults` makes the three of it.
 */
export interface TcpProxy extends AsyncDisposable {
  readonly host: "127.0.0.1";
  readonly port: number;
  /** How many clients are connected now. */
  readonly connections: number;
  /** Resets every connection, and each new one at once. */
  cut(): void;
  /** From now on bytes vanish both ways; new connections are accepted and never answered. */
  silence(): void;
  /** From now on what clients send arrives, and what they are answered vanishes. */
  loseAnswers(): void;
  /** Ends the fault. Connections on which bytes may have vanished are reset: they cannot continue. */
  restore(): void;
  /** Ends everything. */
  close(): Promise<void>;
}

/** Opens a proxy on a free port. */
export async function openTcpProxy(options: TcpProxyOptions): Promise<TcpProxy> {
  validateKnownOptions(options, ["host", "port"]);
  const { host, port } = options;
  if (host !== undefined) validateName("host", host);
  validateWholeNumber("port", port, 1, 65_535);
  const proxy = new LoopbackProxy(options);
  await proxy.listen();
  return proxy;
}

type Mode = "forward" | "cut" | "silent" | "answers-lost";

class LoopbackProxy implements TcpProxy {
  readonly host = "127.0.0.1";
  readonly #target: { readonly host: string; readonly port: number };
  readonly #listener: Server;
  readonly #clients = new Set<Socket>();
  #mode: Mode = "forward";
  #port = 0;
  #closing: Promise<void> | undefined;

  constructor({ host = "127.0.0.1", port }: TcpProxyOptions) {
    this.#target = { host, port };
    this.#listener = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
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
    return this.#clients.size;
  }

  cut(): void {
    this.#mode = "cut";
    this.#reset();
  }

  silence(): void {
    this.#mode = "silent";
  }

  loseAnswers(): void {
    this.#mode = "answers-lost";
  }

  restore(): void {
    if (this.#mode !== "forward") this.#reset();
    this.#mode = "forward";
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      const closed = once(this.#listener, "close");
      this.#listener.close();
      this.#reset();
      await closed;
    })();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #reset(): void {
    for (const client of this.#clients) client.resetAndDestroy();
  }

  #accept(client: Socket): void {
    client.on("error", () => undefined);
    if (this.#mode === "cut") {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ ...this.#target, allowHalfOpen: true });
    server.on("error", () => client.resetAndDestroy());
    this.#clients.add(client);
    this.#forward(client, server, () => this.#mode !== "silent");
    this.#forward(server, client, () => this.#mode === "forward");
    client.on("close", () => {
      this.#clients.delete(client);
      server.destroy();
    });
    server.on("close", () => client.destroy());
  }

  #forward(from: Socket, to: Socket, passes: () => boolean): void {
    from.on("data", (bytes) => {
      if (passes() && !to.write(bytes)) from.pause();
    });
    from.on("end", () => void (passes() && to.end()));
    to.on("drain", () => from.resume());
  }
}
