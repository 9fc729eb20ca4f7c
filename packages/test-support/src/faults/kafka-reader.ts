import type { WirePiece, WireReader, WireRequest } from "./wire-protocol.ts";

const LENGTH_BYTES = 4;
// A request without a client's name, and an answer without anything.
const SHORTEST_REQUEST = 10;
const SHORTEST_ANSWER = 4;
const LONGEST = 128 * 1024 * 1024;

const NAMES: ReadonlyMap<number, string> = new Map([
  [0, "Produce"],
  [1, "Fetch"],
  [2, "ListOffsets"],
  [3, "Metadata"],
  [17, "SaslHandshake"],
  [18, "ApiVersions"],
  [19, "CreateTopics"],
  [22, "InitProducerId"],
  [36, "SaslAuthenticate"],
]);

/** Kafka's protocol: messages that begin with their length. */
export class KafkaReader implements WireReader {
  #requests = Buffer.alloc(0);
  #answers = Buffer.alloc(0);

  sent(chunk: Buffer): WirePiece[] {
    this.#requests = Buffer.concat([this.#requests, chunk]);
    const pieces: WirePiece[] = [];
    for (;;) {
      const message = firstMessage(this.#requests, SHORTEST_REQUEST);
      if (message === undefined) return pieces;
      pieces.push({ bytes: message, request: readRequest(message) });
      this.#requests = this.#requests.subarray(message.length);
    }
  }

  answered(chunk: Buffer): number {
    this.#answers = Buffer.concat([this.#answers, chunk]);
    for (let answers = 0; ; answers += 1) {
      const message = firstMessage(this.#answers, SHORTEST_ANSWER);
      if (message === undefined) return answers;
      this.#answers = this.#answers.subarray(message.length);
    }
  }
}

function firstMessage(bytes: Buffer, shortest: number): Buffer | undefined {
  if (bytes.length < LENGTH_BYTES) return undefined;
  const length = bytes.readInt32BE(0);
  if (length < shortest || length > LONGEST) {
    throw new Error(`a message of Kafka's protocol has the length ${length}`);
  }
  const end = LENGTH_BYTES + length;
  return bytes.length < end ? undefined : bytes.subarray(0, end);
}

function readRequest(message: Buffer): WireRequest {
  const key = message.readInt16BE(LENGTH_BYTES);
  return { name: NAMES.get(key) ?? `request ${key}`, target: `v${message.readInt16BE(LENGTH_BYTES + 2)}` };
}
