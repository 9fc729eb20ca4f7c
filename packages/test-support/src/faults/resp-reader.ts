import type { WirePiece, WireReader } from "./wire-protocol.ts";

const CRLF = "\r\n";

/** Redis' protocol, RESP2 and RESP3: a request is an array of strings (or a line), a reply one value of any type. */
export class RespReader implements WireReader {
  #requests = Buffer.alloc(0);
  #replies = Buffer.alloc(0);

  sent(chunk: Buffer): WirePiece[] {
    this.#requests = Buffer.concat([this.#requests, chunk]);
    const pieces: WirePiece[] = [];
    for (;;) {
      const request = readRequest(this.#requests);
      if (request === undefined) return pieces;
      const [name = "", target = ""] = request.words;
      pieces.push({
        bytes: this.#requests.subarray(0, request.end),
        request: { name: name.toUpperCase(), target },
      });
      this.#requests = this.#requests.subarray(request.end);
    }
  }

  answered(chunk: Buffer): number {
    this.#replies = Buffer.concat([this.#replies, chunk]);
    let replies = 0;
    for (;;) {
      const end = endOfValue(this.#replies, 0);
      if (end === undefined) return replies;
      // What a server pushes by itself answers nobody.
      if (this.#replies[0] !== ">".charCodeAt(0)) replies += 1;
      this.#replies = this.#replies.subarray(end);
    }
  }
}

function readRequest(bytes: Buffer): { readonly words: string[]; readonly end: number } | undefined {
  const lineEnd = bytes.indexOf(CRLF);
  if (lineEnd < 0) return undefined;
  const line = bytes.toString("latin1", 0, lineEnd);
  if (!line.startsWith("*")) return { words: line.split(" "), end: lineEnd + 2 };
  const words: string[] = [];
  let at = lineEnd + 2;
  for (let word = 0; word < Number(line.slice(1)); word += 1) {
    const lengthEnd = bytes.indexOf(CRLF, at);
    if (lengthEnd < 0) return undefined;
    const start = lengthEnd + 2;
    const length = Number(bytes.toString("latin1", at + 1, lengthEnd));
    if (!Number.isSafeInteger(length)) throw new Error("a Redis client sent an array of something else than strings");
    at = start + length + 2;
    if (at > bytes.length) return undefined;
    if (word < 2) words.push(bytes.toString("utf8", start, start + length));
  }
  return { words, end: at };
}

/** Where the value that begins at an index ends; `undefined` while it is not all there. */
function endOfValue(bytes: Buffer, start: number): number | undefined {
  const lineEnd = bytes.indexOf(CRLF, start);
  if (lineEnd < 0) return undefined;
  const type = bytes.toString("latin1", start, start + 1);
  const length = Number(bytes.toString("latin1", start + 1, lineEnd));
  let at = lineEnd + 2;
  if ("+-:_#,(".includes(type)) return at;
  // A null of RESP2.
  if (length === -1) return at;
  if ("$=!".includes(type)) return at + length + 2 <= bytes.length ? at + length + 2 : undefined;
  if (!"*~>%|".includes(type)) throw new Error(`a Redis server sent a value of the unknown type ${type}`);
  // Pairs in a map; attributes come before the value that they belong to.
  const values = type === "%" ? 2 * length : type === "|" ? 2 * length + 1 : length;
  for (let value = 0; value < values; value += 1) {
    const end = endOfValue(bytes, at);
    if (end === undefined) return undefined;
    at = end;
  }
  return at;
}
