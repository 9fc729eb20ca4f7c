import type { WirePiece, WireReader, WireRequest } from "./wire-protocol.ts";

const HEADER_BYTES = 16;
const OP_QUERY = 2004;
const OP_MSG = 2013;
/** Of OP_MSG: nobody waits for an answer. */
const MORE_TO_COME = 2;
const BSON_STRING = 2;

/** MongoDB's protocol: messages that begin with their length. Compressed ones are not understood; nobody here asks for them. */
export class MongoReader implements WireReader {
  #requests = Buffer.alloc(0);
  #replies = Buffer.alloc(0);

  sent(chunk: Buffer): WirePiece[] {
    this.#requests = Buffer.concat([this.#requests, chunk]);
    const pieces: WirePiece[] = [];
    for (;;) {
      const message = firstMessage(this.#requests);
      if (message === undefined) return pieces;
      pieces.push({ bytes: message, request: readRequest(message), unanswered: isUnanswered(message) });
      this.#requests = this.#requests.subarray(message.length);
    }
  }

  answered(chunk: Buffer): number {
    this.#replies = Buffer.concat([this.#replies, chunk]);
    for (let replies = 0; ; replies += 1) {
      const message = firstMessage(this.#replies);
      if (message === undefined) return replies;
      this.#replies = this.#replies.subarray(message.length);
    }
  }
}

function firstMessage(bytes: Buffer): Buffer | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const length = bytes.readInt32LE(0);
  if (length < HEADER_BYTES) throw new Error(`a message of MongoDB's protocol has the length ${length}`);
  return bytes.length < length ? undefined : bytes.subarray(0, length);
}

/** Of what a client says when it leaves, for example. */
function isUnanswered(message: Buffer): boolean {
  return message.readInt32LE(12) === OP_MSG && (message.readUInt32LE(HEADER_BYTES) & MORE_TO_COME) !== 0;
}

function readRequest(message: Buffer): WireRequest {
  const operation = message.readInt32LE(12);
  if (operation === OP_QUERY) {
    // Flags, the collection's name up to a zero byte, two numbers, then the document.
    return firstField(message, message.indexOf(0, HEADER_BYTES + 4) + 1 + 8);
  }
  if (operation !== OP_MSG) throw new Error(`a MongoDB client sent an operation ${operation}`);
  let at = HEADER_BYTES + 4;
  // Sections of the kind 1 carry many documents of one field; the command itself is the section of the kind 0.
  while (message[at] !== 0) at += 1 + message.readInt32LE(at + 1);
  return firstField(message, at + 1);
}

/** The command is the name of its document's first field, and mostly the collection is that field's value. */
function firstField(message: Buffer, documentStart: number): WireRequest {
  const nameStart = documentStart + 5;
  const nameEnd = message.indexOf(0, nameStart);
  const name = message.toString("utf8", nameStart, nameEnd);
  if (message[documentStart + 4] !== BSON_STRING) return { name, target: "" };
  const length = message.readInt32LE(nameEnd + 1);
  return { name, target: message.toString("utf8", nameEnd + 5, nameEnd + 5 + length - 1) };
}
