import type { WirePiece, WireReader, WireRequest } from "./wire-protocol.ts";

/** The bytes of a message's length, which counts itself. */
const LENGTH_BYTES = 4;
const STARTUP = 196_608;

/**
 * PostgreSQL's protocol, without TLS. A request is what ends with the server's word that it is ready for the next: a connection
 * that is made, a query as text, or a statement with its parameters.
 */
export class PostgresReader implements WireReader {
  #sent = Buffer.alloc(0);
  #answered = Buffer.alloc(0);
  #isStarted = false;
  /** Whether messages of a statement have passed whose end has not. */
  #isWithin = false;

  sent(chunk: Buffer): WirePiece[] {
    this.#sent = Buffer.concat([this.#sent, chunk]);
    const pieces: WirePiece[] = [];
    for (;;) {
      const bytes = firstMessage(this.#sent, this.#isStarted ? 1 : 0);
      if (bytes === undefined) return pieces;
      this.#sent = this.#sent.subarray(bytes.length);
      pieces.push(this.#isStarted ? this.#pieceOf(bytes) : this.#startOf(bytes));
    }
  }

  answered(chunk: Buffer): number {
    this.#answered = Buffer.concat([this.#answered, chunk]);
    for (let count = 0; ;) {
      const bytes = firstMessage(this.#answered, 1);
      if (bytes === undefined) return count;
      this.#answered = this.#answered.subarray(bytes.length);
      if (typeOf(bytes) === "Z") count += 1;
    }
  }

  #startOf(bytes: Buffer): WirePiece {
    const version = bytes.readInt32BE(LENGTH_BYTES);
    if (version !== STARTUP)
      throw new Error(`a client of PostgreSQL begins with ${version}, and not with a connection`);
    this.#isStarted = true;
    return { bytes, request: { name: "STARTUP", target: "" } };
  }

  #pieceOf(bytes: Buffer): WirePiece {
    const type = typeOf(bytes);
    // The password belongs to the connection that is being made, and nobody answers a farewell.
    if (type === "p" || type === "X") return { bytes };
    const isFirst = !this.#isWithin;
    this.#isWithin = type !== "Q" && type !== "S";
    if (!isFirst) return { bytes };
    const text = bytes.toString("utf8", 1 + LENGTH_BYTES);
    // Before the text of a statement is its name.
    return { bytes, request: requestOf(type === "P" ? text.slice(text.indexOf("\0") + 1) : text) };
  }
}

/** The first message, if it is all there; before its length are so many bytes. */
function firstMessage(bytes: Buffer, typeBytes: 0 | 1): Buffer | undefined {
  if (bytes.length < typeBytes + LENGTH_BYTES) return undefined;
  const length = bytes.readInt32BE(typeBytes);
  if (length < LENGTH_BYTES) throw new Error(`a message of PostgreSQL's protocol has the length ${length}`);
  return bytes.length < typeBytes + length ? undefined : bytes.subarray(0, typeBytes + length);
}

function typeOf(bytes: Buffer): string {
  return bytes.toString("latin1", 0, 1);
}

/** The first word of a statement; of one that begins with other statements that of the first which writes. */
function requestOf(text: string): WireRequest {
  const [first = ""] = /\w+/u.exec(text) ?? [];
  const name = first === "WITH" ? (/\b(?:INSERT|UPDATE|DELETE)\b/u.exec(text)?.[0] ?? first) : first;
  return { name, target: "" };
}
