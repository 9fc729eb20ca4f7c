/** What a proxy can tell apart on the wire: requests are counted, named, and cut at by name. */
export type WireProtocolName = "resp" | "mongo" | "postgres" | "http" | "kafka";

/** One request that a client sent. */
export interface WireRequest {
  /** Redis: the command in capitals. MongoDB: the command. PostgreSQL: the statement's first word. HTTP: the method. Kafka: the request as `Fetch`. */
  readonly name: string;
  /** Redis: the first argument. MongoDB: the collection, where the command names one. HTTP: the path with its query. Kafka: its version. */
  readonly target: string;
}

/** A run of a client's bytes, in order. */
export interface WirePiece {
  readonly bytes: Buffer;
  /** The request that begins with these bytes; nothing of it was in an earlier piece. */
  readonly request?: WireRequest;
  /** Whether the client said that it wants no answer to the request. */
  readonly unanswered?: boolean;
}

/** Reads one direction or both of one connection. Bytes come as the network cuts them. */
export interface WireReader {
  /** Takes bytes of the client; gives those that can continue. The beginning of a request waits until its name is there. */
  sent(chunk: Buffer): WirePiece[];
  /** Takes bytes of the server; gives how many requests they finish to answer, or for HTTP begin to. */
  answered(chunk: Buffer): number;
}
