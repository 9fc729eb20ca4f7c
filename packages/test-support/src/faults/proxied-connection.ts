import { connect, type Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { WirePiece, WireReader, WireRequest } from "./wire-protocol.ts";

/** What is to become of a request. */
export type RequestFate = "forward" | "cut-before" | "cut-after" | "cut-within";

/** How much may still pass of the answers to some requests, on whichever connections; below 0 it was cut. */
export interface AnswerRoom {
  bytesLeft: number;
}

/** What a connection asks of the proxy that it belongs to. */
export interface ConnectionSettings {
  readonly target: { readonly host: string; readonly port: number };
  readonly reader: WireReader | undefined;
  /** Whether nothing continues any more, either way. */
  readonly silent: () => boolean;
  /** Milliseconds that what the server says is held back. */
  readonly delayMs: () => number;
  /** Hears of each request before a byte of it continues. */
  readonly fateOf: (request: WireRequest) => RequestFate;
  /** The room that the answer to a request counts against, where it is cut within. */
  readonly roomOf: (request: WireRequest) => AnswerRoom;
  /** Called when the connection was cut at a request. */
  readonly onCut: (request: WireRequest) => void;
  /** Called when the connection has ended, for any reason, before the answer that was to be withheld. */
  readonly onUncut: (request: WireRequest) => void;
  /** Called when the bytes are not those of the protocol. */
  readonly onUnreadable: (error: unknown) => void;
  readonly onClose: () => void;
}

/** One client's connection, and the one to the server that belongs to it. */
export class ProxiedConnection {
  readonly #client: Socket;
  readonly #server: Socket | undefined;
  readonly #settings: ConnectionSettings;
  #unanswered = 0;
  /** The requests whose answers are not let through; from the first one's moment on nothing is. */
  readonly #withheld: WireRequest[] = [];
  /** The last request whose answer counts against a room; the cut comes in that answer, or in a later one. */
  #within: { readonly request: WireRequest; readonly room: AnswerRoom } | undefined;
  #silenced: boolean;

  constructor(client: Socket, settings: ConnectionSettings) {
    this.#client = client;
    this.#settings = settings;
    this.#silenced = settings.silent();
    client.on("error", () => this.cut());
    client.on("end", () => this.#giveUpCuts());
    client.on("close", () => {
      this.#server?.destroy();
      this.#giveUpCuts();
      settings.onClose();
    });
    if (this.#silenced) {
      client.resume();
      return;
    }
    const server = connect({ ...settings.target, allowHalfOpen: true });
    this.#server = server;
    for (const socket of [client, server]) socket.setNoDelay(true);
    server.on("error", () => this.cut());
    // A server that was killed may leave without a word; a client that still waits must not wait forever.
    server.on("close", () => {
      if (!settings.silent()) client.destroySoon();
    });
    void this.#pump(client, server, (chunk) => this.#fromClient(chunk, server));
    void this.#pump(server, client, (chunk) => this.#fromServer(chunk));
  }

  /** Ends both sides at once, as a reset. */
  cut(): void {
    this.#client.resetAndDestroy();
    // A reset would wait for a connection that may never come about.
    if (this.#server?.connecting === true) this.#server.destroy();
    else this.#server?.resetAndDestroy();
  }

  /** No answer reaches a client that has left. */
  #giveUpCuts(): void {
    for (const request of this.#withheld.splice(0)) this.#settings.onUncut(request);
    this.#within = undefined;
  }

  /** Reads one side no faster than the other takes it. */
  async #pump(from: Socket, to: Socket, take: (chunk: Buffer) => Promise<void> | void): Promise<void> {
    try {
      for await (const chunk of from.iterator({ destroyOnReturn: false })) {
        this.#silenced ||= this.#settings.silent();
        if (this.#silenced) continue;
        await take(chunk as Buffer);
      }
      if (!this.#silenced) to.end();
    } catch {
      // Whatever broke one side ends both; the sockets' own events say so.
      this.cut();
    }
  }

  async #fromClient(chunk: Buffer, server: Socket): Promise<void> {
    const { reader, fateOf, onCut, onUnreadable } = this.#settings;
    if (reader === undefined) return write(server, chunk);
    let pieces: WirePiece[];
    try {
      pieces = reader.sent(chunk);
    } catch (error) {
      onUnreadable(error);
      throw error;
    }
    for (const { bytes, request, unanswered = false } of pieces) {
      if (this.#client.destroyed) return;
      if (request !== undefined) {
        const fate = fateOf(request);
        if (fate === "cut-before") {
          this.cut();
          onCut(request);
          return;
        }
        if (!unanswered) this.#unanswered += 1;
        if (fate === "cut-after") this.#withheld.push(request);
        if (fate === "cut-within") this.#within = { request, room: this.#settings.roomOf(request) };
      }
      await write(server, bytes);
    }
  }

  async #fromServer(chunk: Buffer): Promise<void> {
    const { reader, delayMs, onCut, onUnreadable } = this.#settings;
    if (reader !== undefined) {
      try {
        this.#unanswered -= reader.answered(chunk);
      } catch (error) {
        onUnreadable(error);
        throw error;
      }
      if (this.#withheld.length > 0) {
        // Answers to what was sent before it on the same connection are lost with its own.
        if (this.#unanswered > 0) return;
        const lost = this.#withheld.splice(0);
        this.cut();
        for (const request of lost) onCut(request);
        return;
      }
    }
    if (delayMs() > 0) await pause(delayMs());
    const within = this.#within;
    // Below 0 another connection was cut.
    if (within === undefined || within.room.bytesLeft < 0) return write(this.#client, chunk);
    const { request, room } = within;
    const passed = chunk.subarray(0, room.bytesLeft);
    room.bytesLeft -= chunk.length;
    await write(this.#client, passed);
    if (passed.length === chunk.length) return;
    // What was handed on has to arrive: a reset would overtake it.
    await new Promise<void>((resolve) => {
      this.#client.once("close", resolve).end(resolve);
    });
    this.cut();
    onCut(request);
  }
}

/** Resolves when the socket can take more. */
function write(socket: Socket, bytes: Buffer): Promise<void> | void {
  if (socket.destroyed) return;
  if (socket.write(bytes)) return;
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done);
      resolve();
    };
    socket.on("drain", done).on("close", done);
  });
}
