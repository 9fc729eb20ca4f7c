import { type Document, deserialize, serialize } from "bson";

/** The kinds of message that a driver of today sends or gets. */
export const OpCode = { reply: 1, query: 2004, message: 2013 } as const;

const HEADER_BYTES = 16;
const CHECKSUM_PRESENT = 1;
const SECTIONS_OFFSET = 20;

/** A whole message of MongoDB's wire protocol. */
export interface WireMessage {
  readonly bytes: Buffer;
  readonly requestId: number;
  /** The request that a reply answers. */
  readonly responseTo: number;
  readonly opCode: number;
}

/** What an OP_MSG asks for. */
export interface Command {
  /** The name of the first field: the command's own. */
  readonly name: string;
  /** The body as sent. */
  readonly body: Buffer;
  /** What was sent beside the body, by name: documents one after the other. */
  readonly sequences: ReadonlyMap<string, Buffer>;
}

/** Gives whole messages, however the network cut them. */
export function splitMessages(onMessage: (message: WireMessage) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let [length, wanted] = [0, HEADER_BYTES];
  return (chunk) => {
    chunks.push(chunk);
    length += chunk.length;
    while (length >= wanted) {
      const all = Buffer.concat(chunks, length);
      chunks = [all];
      wanted = Math.max(HEADER_BYTES, all.readInt32LE(0));
      if (length < wanted) return;
      const bytes = all.subarray(0, wanted);
      const [requestId, responseTo, opCode] = [bytes.readInt32LE(4), bytes.readInt32LE(8), bytes.readInt32LE(12)];
      chunks = [all.subarray(wanted)];
      length -= wanted;
      wanted = HEADER_BYTES;
      onMessage({ bytes, requestId, responseTo, opCode });
    }
  };
}

/** Reads an OP_MSG. */
export function parseCommand({ bytes }: WireMessage): Command {
  const end = bytes.length - ((bytes.readUInt32LE(HEADER_BYTES) & CHECKSUM_PRESENT) === 0 ? 0 : 4);
  const sequences = new Map<string, Buffer>();
  let body: Buffer = Buffer.alloc(0);
  for (let at = SECTIONS_OFFSET; at < end;) {
    const isBody = bytes.readUInt8(at) === 0;
    const section = bytes.subarray(at + 1, at + 1 + bytes.readInt32LE(at + 1));
    at += 1 + section.length;
    const nameEnd = section.indexOf(0, 4);
    if (isBody) body = section;
    else sequences.set(section.toString("utf8", 4, nameEnd), section.subarray(nameEnd + 1));
  }
  return { name: body.toString("utf8", 5, body.indexOf(0, 5)), body, sequences };
}

/** Makes the OP_MSG that answers a request. */
export function replyTo({ requestId }: WireMessage, document: Uint8Array): Buffer {
  const bytes = Buffer.alloc(SECTIONS_OFFSET + 1 + document.length);
  bytes.writeInt32LE(bytes.length, 0);
  bytes.writeInt32LE(requestId, 8);
  bytes.writeInt32LE(OpCode.message, 12);
  bytes.set(document, SECTIONS_OFFSET + 1);
  return bytes;
}

/** Changes the one document of a reply, whichever of the two kinds of reply it is. */
export function changeReply({ bytes, opCode }: WireMessage, change: (document: Document) => Document): Buffer {
  const start = opCode === OpCode.reply ? 36 : SECTIONS_OFFSET + 1;
  // Numbers stay of the type that they have.
  const document = serialize(change(deserialize(bytes.subarray(start), { promoteValues: false })));
  const changed = Buffer.concat([bytes.subarray(0, start), document]);
  changed.writeInt32LE(changed.length, 0);
  return changed;
}
