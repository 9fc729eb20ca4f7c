import { classifyConnectionError, type ErrorClassification } from "@tidemark/core/driver";
import { NotAcknowledgedError } from "./acknowledgement.ts";

/** The server, or what it is set to, cannot do what the store needs. */
export class UnsupportedServerError extends Error {
  override readonly name = "UnsupportedServerError";
}

/** What a server's error means that another attempt may be spared, by the word that it begins with. */
const PASSING: Readonly<Record<string, string>> = {
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
  OOM: "the server is out of memory: raise maxmemory, or remove data; do not let it evict positions",
  UNBLOCKED: "the role of the server changed during the call",
};

/** Errors that say that the server is another one, or is set to something else, than the options say. */
const SETTINGS: readonly (readonly [RegExp, string])[] = [
  [
    /DB index|SELECT is not allowed/u,
    "the server has no database of that number (most have 0 to 15, a Cluster has 0 only): change the number at the end of " +
      "the URL, or the client's database",
  ],
  [
    /^ERR WAITAOF/u,
    "the write was applied, but the server no longer keeps an append-only file: set appendonly yes, or leave out " +
      "acknowledge.appendOnlyFile",
  ],
  [
    /cluster support disabled/u,
    "the server is not a node of a Cluster: leave cluster=true out of the URL, or use createClient",
  ],
  [
    /^ERR unknown (?:sub)?command|Unknown Redis command/iu,
    "the server lacks a command that the store needs, or it is disabled (rename-command); the README lists them all",
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

const TLS_ADVICE =
  "use redis:// if the server does not speak TLS, and if it does have Node trust its certificate (NODE_EXTRA_CA_CERTS, or " +
  "a client of your own)";

/** Says what an error means. No text of a URL is repeated, it may hold a password. */
export function classifyRedisError(error: unknown): ErrorClassification {
  if (!(error instanceof Error)) return failure("UNKNOWN", "a value was thrown that is not an error");
  if (error instanceof NotAcknowledgedError) return unavailable(error.message, error.isRepeatable);
  if (error instanceof UnsupportedServerError) return failure("UNSUPPORTED", error.message);
  return (
    classifyReply(error.message) ??
    classifyConnectionError(error, "the server", TLS_ADVICE) ??
    classifyClientError(error) ??
    failure("UNKNOWN", error.message)
  );
}

/** Whether what lies under a key is of another type than the store's. */
export function isWrongType(error: unknown): boolean {
  return saysFirst(error, "WRONGTYPE");
}

/** Whether the keys of a command lie on two nodes of a Cluster. Nothing was carried out. */
export function isTryAgain(error: unknown): boolean {
  return saysFirst(error, "TRYAGAIN");
}

/** Whether the server does not know a script by its hash. Nothing was carried out. */
export function isNoScript(error: unknown): boolean {
  return saysFirst(error, "NOSCRIPT");
}

/** Whether the server says that this user may not use a command. */
export function isDenied(error: unknown): boolean {
  return error instanceof Error && classifyReply(error.message)?.code === "PERMISSION_DENIED";
}

/** The error, or one in its place: a server that does not know a command repeats its arguments, tokens among them. */
export function withoutArguments(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const classified = classifyReply(error.message);
  return classified?.code === "UNSUPPORTED" ? new UnsupportedServerError(classified.message) : error;
}

function saysFirst(error: unknown, word: string): boolean {
  return error instanceof Error && error.message.startsWith(word);
}

function classifyReply(message: string): ErrorClassification | undefined {
  const [word = ""] = message.split(" ", 1);
  if (word === "NOAUTH") {
    return failure(
      "PERMISSION_DENIED",
      "the server requires a password: give user and password in the URL or to the client",
    );
  }
  if (word === "WRONGPASS" || /invalid (?:password|username)|without any password configured/u.test(message)) {
    return failure("PERMISSION_DENIED", "the server rejected user and password; check them");
  }
  if (word === "NOPERM" || /can't run this command|can't access|[Nn]o permissions? to/u.test(message)) {
    const said = message.replaceAll(/ script: .*$/gu, "");
    const text =
      "the server's ACL does not let this user run a command that the store needs; the README lists them all";
    return failure("PERMISSION_DENIED", `${text} (${said})`);
  }
  if (word === "WRONGTYPE") return failure("CORRUPT_RECORD", "a Redis key of the store has another type");
  if (/non local key/u.test(message)) return unavailable(PASSING["TRYAGAIN"] ?? "");
  if (/max number of clients/u.test(message))
    return unavailable("the server has reached its maximum number of clients (maxclients)");
  const setting = SETTINGS.find(([text]) => text.test(message))?.[1];
  if (setting !== undefined) return failure("UNSUPPORTED", setting);
  const passing = PASSING[word];
  return passing === undefined ? undefined : unavailable(`${passing} (${word})`);
}

function classifyClientError(error: Error): ErrorClassification | undefined {
  const { name } = error.constructor;
  if (name === "ClientClosedError") {
    return unavailable("the client is closed; the store needs it open until the store itself is closed", false);
  }
  // What does not speak Redis at all: most often TLS on the other side, sometimes a wrong port.
  if (/Unknown RESP type|Protocol error/u.test(error.message)) {
    const advice = "use rediss:// if it requires TLS, and check the port";
    return unavailable(`the server does not speak the Redis protocol: ${advice}`, false);
  }
  if (/sentinel|no valid master node/iu.test(error.message)) {
    return unavailable(
      "no Sentinel names a master that can be reached; check the addresses, the set's name and the passwords",
    );
  }
  // What is kept until the connection is back: this command was not.
  if (error.message === "The queue is full") {
    return unavailable("the client's queue is full (commandsQueueMaxLength); it is empty once the server answers");
  }
  if (!LOST_CONNECTION.has(name)) return undefined;
  return unavailable(
    "the connection to the server was lost or refused; the client reconnects by itself. If it never succeeds: either " +
      "both sides speak TLS (rediss://), or neither",
  );
}

function failure(code: ErrorClassification["code"], message: string): ErrorClassification {
  return { code, retryable: false, message };
}

function unavailable(message: string, retryable = true): ErrorClassification {
  return { code: "UNAVAILABLE", retryable, message };
}
