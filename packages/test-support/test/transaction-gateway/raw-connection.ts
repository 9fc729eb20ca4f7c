import { once } from "node:events";
import { connect } from "node:net";
import { deserialize, type Document, serialize } from "bson";

/** A connection that sends what no driver would: its own session numbers, or a message in single bytes. */
export interface RawConnection {
  /** Sends one command and gives the reply. */
  send(command: Document, how?: { readonly inPieces?: boolean; readonly checksum?: boolean }): Promise<Document>;
  /** Resolves when the other side has closed it. */
  readonly closed: Promise<unknown>;
  destroy(): void;
}

export async function openRawConnection(url: string): Promise<RawConnection> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  await once(socket, "connect");
  socket.setNoDelay(true);
  const closed = once(socket, "close");
  return {
    closed,
    async send(command, { inPieces = false, checksum = false } = {}) {
      const body = serialize(command);
      const message = Buffer.alloc(21 + body.length + (checksum ? 4 : 0));
      message.writeInt32LE(message.length, 0);
      message.writeInt32LE(77, 4);
      message.writeInt32LE(2013, 12);
      message.writeUInt32LE(checksum ? 1 : 0, 16);
      message.set(body, 21);
      const answered = once(socket, "data");
      if (inPieces) for (const byte of message) socket.write(Buffer.of(byte));
      else socket.write(message);
      const [reply] = (await Promise.race([answered, closed])) as [Buffer];
      if (!Buffer.isBuffer(reply)) throw new Error("the connection was closed without an answer");
      if (reply.readInt32LE(8) !== 77) throw new Error("the reply answers another request");
      return deserialize(reply.subarray(21));
    },
    destroy: () => socket.destroy(),
  };
}
