import { classifyConnectionError, type ErrorClassification } from "@tidemark/core/driver";
import { MongoError, MongoNetworkError, MongoServerSelectionError } from "mongodb";

/** The server or the collection cannot hold what the store needs. */
export class UnsupportedServerError extends Error {
  override readonly name = "UnsupportedServerError";
}

/** Of several writes in one command some were carried out, and others wrote over them before it could be seen which. */
export class UncertainWriteError extends Error {
  override readonly name = "UncertainWriteError";
}

/** The server's code for what the user may not do. */
export const UNAUTHORIZED = 13;

const AUTHENTICATION_FAILED = 18;
/** What Atlas answers where authentication fails, and where the space of a shared cluster is used up. */
const ATLAS_ERROR = 8_000;
const DENIED: ErrorClassification = {
  code: "PERMISSION_DENIED",
  retryable: false,
  message: "MongoDB refused the credentials; check user, password and authSource",
};

/** What the server's codes mean, by their names in the server's own list. */
const MEANINGS: Readonly<Record<number, ErrorClassification>> = {
  [AUTHENTICATION_FAILED]: DENIED,
  // MaxTimeMSExpired
  50: { code: "TIMEOUT", retryable: true, message: "the server did not finish in time; it is safe to retry" },
  // WriteConcernFailed
  64: unavailable(
    "the write was applied, but fewer members acknowledged it than the write concern requires; it is safe to retry",
  ),
  // UnsatisfiableWriteConcern
  100: unsupported(
    "the replica set has fewer members than the write concern requires; lower writeConcern, or add members",
  ),
  // DocumentValidationFailure
  121: unsupported("the collection's validator rejects the record; give the store a collection of its own"),
  // OutOfDiskSpace
  14_031: unavailable("the server is out of disk space; make room and try again"),
};

/** No primary, stepping down, shutting down, a lost host, no majority for a linearizable read: another attempt meets another server. */
const PASSING = new Set([
  6, 7, 63, 89, 91, 112, 133, 134, 150, 187, 189, 234, 262, 317, 358, 384, 9001, 10_058, 10_107, 11_600, 11_602, 13_388,
  13_435, 13_436,
]);

/** The driver's errors about its connections that have no class of their own among its exports. */
const NETWORK_NAMES = /^Mongo(?:Network|PoolClear|PoolClosed|Topology|NotConnected|ServerClosed)/u;

const TLS_ADVICE = "check tls and the certificates on both sides";

/** Says what an error means. The server's own text is given only where it cannot have a secret in it. */
export function classifyMongoError(error: unknown): ErrorClassification {
  if (error instanceof UnsupportedServerError) return unsupported(error.message);
  if (error instanceof UncertainWriteError) {
    return unavailable(
      "other processes wrote the same keys at the same time, and it is not known whether this write was applied; try again",
    );
  }
  const text = withoutSecrets(textOf(error));
  if (error instanceof MongoServerSelectionError) return classifySelection(error, text);
  // With the client's own timeoutMS this takes the place of every other error that has to do with time.
  if (error instanceof MongoError && error.name === "MongoOperationTimeoutError") {
    if (error.cause instanceof MongoServerSelectionError) return classifySelection(error.cause, textOf(error.cause));
    const message = `MongoDB did not answer within the client's timeoutMS (${text}); it is safe to retry`;
    return { code: "TIMEOUT", retryable: true, message };
  }
  if (error instanceof MongoError && error.name === "MongoWaitQueueTimeoutError") {
    const message = `no connection to MongoDB was free in time (${text}); it is safe to retry`;
    return { code: "TIMEOUT", retryable: true, message };
  }
  const connection = classifyConnection(error);
  if (connection !== undefined) return connection;
  const code = codeOf(error);
  if (code === UNAUTHORIZED) {
    if (/requires authentication/iu.test(text)) return DENIED;
    const message = `the user lacks a privilege: grant it readWrite on the database (${text})`;
    return { code: "PERMISSION_DENIED", retryable: false, message };
  }
  const known = MEANINGS[code];
  if (known !== undefined) return known;
  if (code === ATLAS_ERROR && /auth/iu.test(text)) return DENIED;
  if (code === ATLAS_ERROR && /quota/iu.test(text)) {
    return unavailable(`the cluster has no space left (${text}); make room and try again`);
  }
  if (error instanceof MongoError && error.hasErrorLabel("TransientTransactionError")) {
    const message = `the transaction conflicted with another one and was aborted (${text}): nothing of it is stored; retry the whole transaction`;
    return { code: "CONFLICT", retryable: true, message };
  }
  const labels = ["RetryableWriteError", "RetryableError"];
  const isPassing = error instanceof MongoError && labels.some((label) => error.hasErrorLabel(label));
  if (isPassing || PASSING.has(code))
    return unavailable(`the server cannot serve the request now (${text}); try again`);
  return { code: "UNKNOWN", retryable: false, message: text };
}

function classifySelection(error: MongoServerSelectionError, text: string): ErrorClassification {
  const servers = error.reason?.servers;
  const reasons = [...(servers?.values() ?? [])].flatMap(({ error: reason }) => reason ?? []);
  for (const reason of reasons) {
    if ([AUTHENTICATION_FAILED, ATLAS_ERROR].includes(codeOf(reason))) return DENIED;
    const connection = classifyConnection(reason);
    // An unreachable deployment is named with all the servers that were tried.
    if (connection !== undefined && /TLS/u.test(connection.message)) return connection;
  }
  const hosts = [...(servers?.keys() ?? [])].join(", ");
  return unavailable(
    `no writable MongoDB server answers${hosts === "" ? "" : ` at ${hosts}`} (${text}); ` +
      "check the address, the network and the replica set's name",
  );
}

/** The failure of a connection. */
function classifyConnection(error: unknown): ErrorClassification | undefined {
  // Node calls it a broken connection, and says only in its text that it broke while TLS was being set up.
  const text = error instanceof Error ? `${error.message} ${textOf(error.cause)}` : "";
  if (/secure TLS connection/u.test(text)) {
    return unavailable(`no TLS connection could be made (${withoutSecrets(textOf(error))}): ${TLS_ADVICE}`);
  }
  const fault = classifyConnectionError(error, "the server", TLS_ADVICE);
  if (fault !== undefined) return fault;
  for (let each = error, depth = 0; each instanceof Error && depth < 4; each = each.cause, depth += 1) {
    if (each instanceof MongoNetworkError || NETWORK_NAMES.test(each.name)) return broken(each);
  }
  return undefined;
}

function broken(error: Error): ErrorClassification {
  return unavailable(`the connection to MongoDB failed (${withoutSecrets(error.message)}); try again`);
}

function unavailable(message: string): ErrorClassification {
  return { code: "UNAVAILABLE", retryable: true, message };
}

function unsupported(message: string): ErrorClassification {
  return { code: "UNSUPPORTED", retryable: false, message };
}

/** A driver's text may quote the connection string. */
function withoutSecrets(text: string): string {
  return text.replaceAll(/\/\/[^@/\s]*@/gu, "//***@");
}

/** An error's number; 0 where it has none. */
function codeOf(error: unknown): number {
  return error instanceof Error && "code" in error && typeof error.code === "number" ? error.code : 0;
}

function textOf(error: unknown): string {
  return error instanceof Error && error.message !== "" ? error.message : "no reason was given";
}
