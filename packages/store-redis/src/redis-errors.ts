import { isIPv6 } from "node:net";
import type { ErrorClassification } from "@tidemark/core/driver";
import { NotAcknowledgedError } from "./acknowledgement.ts";
import { UnreadableRecordError } from "./record-encoding.ts";

/** The server, or what it is set to, cannot do what the store needs. */
export class UnsupportedServerError extends Error {
  override readonly name = "UnsupportedServerError";
}

/** What a server's error means, by the word that it begins with. */
const REPLIES: Readonly<Record<string, string>> = {
  CLUSTERDOWN: "the cluster has no master for these keys at the moment",
  TRYAGAIN: "the keys are moving between two nodes of the cluster",
  MOVED: "the keys have moved to another node of the cluster",
  ASK: "the keys are moving between two nodes of the cluster",
  LOADING: "the server is still loading its data",
  READONLY: "the server is a replica, or has just become one: writes go to the master",
  MASTERDOWN: "the replica has lost its master",
  NOREPLICAS: "the server has fewer replicas than its min-replicas-to-write asks for",
  MISCONF: "the server cannot save its data and refuses writes; look at its log",
  BUSY: "the server is busy with another script",
  OOM: "the server has no memory left: raise maxmemory, or remove data; do not let it evict positions",
  UNBLOCKED: "the server changed its role meanwhile",
};

/** Errors that say that the server is set to something else than the store was told. */
const SETTINGS: readonly (readonly [RegExp, string])[] = [
  [
    /DB index|SELECT is not allowed/u,
    "the server has no database of that number (most have 0 to 15, a Cluster has 0 only): change the number at the end of " +
      "the URL, or the client's database",
  ],
  [
    /^ERR WAITAOF/u,
    "it is written, but the server keeps no append-only file any more: set appendonly yes, or leave out " +
      "acknowledge.appendOnlyFile",
  ],
  [
    /cluster support disabled/u,
    "the server is not a node of a Cluster: leave cluster=true out of the URL, or use createClient",
  ],
];

/** Errors of the client, by their class. */
const LOST_CONNECTION = new Set([
  "AbortError",
  "ClientOfflineError",
  "CommandTimeoutDuringMaintenanceError",
  "ConnectionTimeoutError",
  "DisconnectsClientError",
  "MaxCommandRedirectionsError",
  "ReconnectStrategyError",
  "RootNodesUnavailableError",
  "SocketClosedUnexpectedlyError",
  "SocketTimeoutDuringMaintenanceError",
  "SocketTimeoutError",
  "TimeoutError",
]);

const TLS_CODES = /^(?:ERR_SSL|ERR_TLS|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/u;

/** Says what an error means. No text of a URL is repeated, it may hold a password; an address is what a name came to. */
export function classifyRedisError(error: unknown): ErrorClassification {
  if (!(error instanceof Error))
    return { code: "UNKNOWN", retryable: false, message: "something was thrown that is no error" };
  if (error instanceof UnreadableRecordError)
    return { code: "CORRUPT_RECORD", retryable: false, message: error.message };
  if (error instanceof NotAcknowledgedError) return { code: "UNAVAILABLE", retryable: true, message: error.message };
  if (error instanceof UnsupportedServerError) return { code: "UNSUPPORTED", retryable: false, message: error.message };
  return classifyReply(error.message) ?? classifyConnection(error) ?? unknown(error);
}

/** Whether what lies under the key is of another type than the store's. */
export function isWrongType(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith("WRONGTYPE");
}

/** Whether the server says that this user may not use a command. */
export function isDenied(error: unknown): boolean {
  return error instanceof Error && classifyReply(error.message)?.code === "PERMISSION_DENIED";
}

function classifyReply(message: string): ErrorClassification | undefined {
  const [word = ""] = message.split(" ", 1);
  if (word === "NOAUTH")
    return denied("the server wants a password: give user and password in the URL or to the client");
  if (word === "WRONGPASS" || /invalid (?:password|username)|without any password configured/u.test(message)) {
    return denied("the server does not accept user and password; check them");
  }
  if (word === "NOPERM" || /can't run this command|can't access|[Nn]o permissions? to/u.test(message)) {
    return denied(
      "the server's ACL does not let this user run a command that the store needs; the README lists them all " +
        `(${message.replaceAll(/ script: .*$/gu, "")})`,
    );
  }
  if (/max number of clients/u.test(message)) {
    return { code: "UNAVAILABLE", retryable: true, message: "the server has as many clients as it takes" };
  }
  const unsupported = SETTINGS.find(([text]) => text.test(message))?.[1];
  if (unsupported !== undefined) return { code: "UNSUPPORTED", retryable: false, message: unsupported };
  const known = REPLIES[word];
  return known === undefined ? undefined : { code: "UNAVAILABLE", retryable: true, message: `${known} (${word})` };
}

function classifyConnection(error: Error): ErrorClassification | undefined {
  const code = "code" in error && typeof error.code === "string" ? error.code : "";
  if (TLS_CODES.test(code)) {
    return {
      code: "UNAVAILABLE",
      retryable: false,
      message:
        `no TLS connection could be made (${code}): use redis:// if the server does not speak TLS, and if it does ` +
        "have Node trust its certificate (NODE_EXTRA_CA_CERTS, or a client of your own)",
    };
  }
  const name = error.constructor.name;
  if (name === "ClientClosedError") {
    const message = "the client is closed; the store needs it open until the store itself is closed";
    return { code: "UNAVAILABLE", retryable: false, message };
  }
  if (code !== "") {
    return {
      code: "UNAVAILABLE",
      retryable: true,
      message: `the server cannot be reached (${code}${placeOf(error)}); check that it runs, and its address`,
    };
  }
  // What does not speak Redis at all: most often TLS on the other side, sometimes a wrong port.
  if (/Unknown RESP type|Protocol error/u.test(error.message)) return notRedis();
  if (/sentinel|no valid master node/iu.test(error.message)) {
    const message =
      "no Sentinel names a master that can be reached; check the addresses, the set's name and the passwords";
    return { code: "UNAVAILABLE", retryable: true, message };
  }
  if (!LOST_CONNECTION.has(name)) return undefined;
  const message =
    "the connection to the server was lost or refused; it is made again by itself. If it never comes about: either " +
    "both sides speak TLS (rediss://), or neither";
  return { code: "UNAVAILABLE", retryable: true, message };
}

/** Where the connection was to go, by number. A name is left out: in a URL that is written wrongly it is part of a password. */
function placeOf(error: Error): string {
  const failed: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(failed instanceof Error) || !("address" in failed) || !("port" in failed)) return "";
  const { address, port } = failed;
  if (typeof address !== "string" || typeof port !== "number") return "";
  return ` ${isIPv6(address) ? `[${address}]` : address}:${port}`;
}

function notRedis(): ErrorClassification {
  return {
    code: "UNAVAILABLE",
    retryable: false,
    message: "what answers there does not speak Redis's protocol: use rediss:// if it speaks TLS, and check the port",
  };
}

function denied(message: string): ErrorClassification {
  return { code: "PERMISSION_DENIED", retryable: false, message };
}

function unknown(error: Error): ErrorClassification {
  return { code: "UNKNOWN", retryable: false, message: error.message };
}
