import type { WirePiece, WireReader } from "./wire-protocol.ts";

const HEAD_END = "\r\n\r\n";

/**
 * HTTP/1.1 with connections that are kept, without pipelining, which no client of S3 does: an answer belongs to the last
 * request. It counts when its head is there; what it tells of was done by then.
 */
export class HttpReader implements WireReader {
  #head = Buffer.alloc(0);
  #bodyLeft = 0;
  #chunks: ChunkedBody | undefined;
  #answer = Buffer.alloc(0);
  #waiting = false;

  sent(chunk: Buffer): WirePiece[] {
    const pieces: WirePiece[] = [];
    let rest = chunk;
    while (rest.length > 0) {
      const body = this.#bodyIn(rest);
      if (body > 0) {
        pieces.push({ bytes: rest.subarray(0, body) });
        rest = rest.subarray(body);
        continue;
      }
      this.#head = Buffer.concat([this.#head, rest]);
      const headEnd = this.#head.indexOf(HEAD_END);
      if (headEnd < 0) break;
      const bytes = this.#head.subarray(0, headEnd + HEAD_END.length);
      rest = this.#head.subarray(bytes.length);
      this.#head = Buffer.alloc(0);
      const text = bytes.toString("latin1");
      const [, name, target] = /^([A-Z]+) (\S+) HTTP\/1\.1\r\n/.exec(text) ?? [];
      if (name === undefined || target === undefined) throw new Error("a client sent something else than HTTP/1.1");
      this.#bodyLeft = Number(/\r\ncontent-length: *(\d+)/i.exec(text)?.[1] ?? 0);
      this.#chunks = /\r\ntransfer-encoding: *chunked/i.test(text) ? new ChunkedBody() : undefined;
      this.#answer = Buffer.alloc(0);
      this.#waiting = true;
      pieces.push({ bytes, request: { name, target } });
    }
    return pieces;
  }

  answered(chunk: Buffer): number {
    if (!this.#waiting) return 0;
    this.#answer = Buffer.concat([this.#answer, chunk]);
    for (;;) {
      const headEnd = this.#answer.indexOf(HEAD_END);
      if (headEnd < 0) return 0;
      // "100 Continue" only asks for the body.
      const interim = this.#answer.toString("latin1", 0, 12).startsWith("HTTP/1.1 1");
      this.#answer = this.#answer.subarray(headEnd + HEAD_END.length);
      if (interim) continue;
      this.#waiting = false;
      return 1;
    }
  }

  /** How many of these bytes belong to the body of the request under way. */
  #bodyIn(bytes: Buffer): number {
    if (this.#chunks !== undefined) {
      const { length, done } = this.#chunks.take(bytes);
      if (done) this.#chunks = undefined;
      return length;
    }
    const length = Math.min(this.#bodyLeft, bytes.length);
    this.#bodyLeft -= length;
    return length;
  }
}

/** A body whose length nobody knew beforehand: chunks that begin with their length, an empty one, perhaps trailers. */
class ChunkedBody {
  #line = "";
  #dataLeft = 0;
  #trailers = false;

  /** How many of these bytes are the body's, and whether it ends with them. */
  take(bytes: Buffer): { readonly length: number; readonly done: boolean } {
    let at = 0;
    while (at < bytes.length) {
      if (this.#dataLeft > 0) {
        const data = Math.min(this.#dataLeft, bytes.length - at);
        this.#dataLeft -= data;
        at += data;
        continue;
      }
      this.#line += String.fromCharCode(bytes[at] ?? 0);
      at += 1;
      if (!this.#line.endsWith("\r\n")) continue;
      const line = this.#line.slice(0, -2);
      this.#line = "";
      if (this.#trailers) {
        if (line === "") return { length: at, done: true };
        continue;
      }
      const size = Number.parseInt(line, 16);
      if (size === 0) this.#trailers = true;
      // The data and the line end after it.
      else this.#dataLeft = size + 2;
    }
    return { length: at, done: false };
  }
}
