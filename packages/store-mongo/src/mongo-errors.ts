import type { ErrorClassification } from "@tidemark/core/driver";
import { MongoBulkWriteError, MongoError, MongoNetworkError, MongoServerSelectionError } from "mongodb";
import { ClaimDeletedError, UnreadableDocumentError } from "./stored-document.ts";

/** The server or the collection cannot hold what the store needs. */
export class UnsupportedServerError extends Error {
  override readonly name = "UnsupportedServerError";
}

/** The server's codes that the store tells apart, by their names in the server's own list. */
const UNAUTHORIZED = 13;
const AUTHENTICATION_FAILED = 18;
const MAX_TIME_EXPIRED = 50;
const WRITE_CONCERN_FAILED = 64;
const DOCUMENT_VALIDATION_FAILURE = 121;
const UNSATISFIABLE_WRITE_CONCERN = 100;
const OBJECT_TOO_LARGE = 10_334;
const COMMAND_NOT_FOUND = 59;
/** What Atlas answers where authentication fails. */
const ATLAS_ERROR = 8_000;
const OUT_OF_DISK_SPACE = 14_031;
/** The driver's errors about its connections that have no class of their own among its exports. */
const NETWORK_NAMES = /^Mongo(?:Network|PoolClear|PoolClosed|WaitQueueTimeout|Topology|NotConnected|ServerClosed)/u;
/** No primary, stepping down, shutting down, a lost host: another attempt meets another server. */
const PASSING = new Set([
  6, 7, 63, 89, 91, 112, 133, 134, 150, 189, 234, 262, 317, 358, 384, 9001, 10_058, 10_107, 11_600, 11_602, 13_388,
  13_435, 13_436,
]);

/** Says what an error means. The server's own text is given only where it cannot have a secret in it. */
export function classifyMongoError(error: unknown): ErrorClassification {
  if (error instanceof UnreadableDocumentError) {
    return { code: "CORRUPT_RECORD", retryable: false, message: error.message };
  }
  if (error instanceof ClaimDeletedError) {
    return { code: "UNAVAILABLE", retryable: true, message: error.message };
  }
  if (error instanceof UnsupportedServerError) return { code: "UNSUPPORTED", retryable: false, message: error.message };
  const text = error instanceof Error ? error.message : messageOf(error);
  if (error instanceof MongoServerSelectionError) return classifySelection(error, text);
  if (error instanceof Error && isTls(error)) return unavailable(tlsAdvice(text));
  const cause = networkCause(error);
  if (cause !== undefined) return unavailable(`the connection to MongoDB failed (${withoutSecrets(cause)}); try again`);
  const code = numberOf(error, "code");
  switch (code) {
    case UNAUTHORIZED:
      if (/requires authentication/iu.test(text)) return denied();
      return {
        code: "PERMISSION_DENIED",
        retryable: false,
        message: `this user may not do that: give it readWrite on the database (${withoutSecrets(text)})`,
      };
    case AUTHENTICATION_FAILED:
    case ATLAS_ERROR:
      return denied();
    case MAX_TIME_EXPIRED:
      return { code: "TIMEOUT", retryable: true, message: "the server did not finish in time; repeating it is safe" };
    case WRITE_CONCERN_FAILED:
      return unavailable(
        "it was written, but not acknowledged by as many members as the write concern asks; repeating it is safe",
      );
    case UNSATISFIABLE_WRITE_CONCERN:
      return {
        code: "UNSUPPORTED",
        retryable: false,
        message:
          "the server can never satisfy the write concern: it has fewer members; lower writeConcern, or add some",
      };
    case OBJECT_TOO_LARGE:
      return { code: "UNKNOWN", retryable: false, message: `the document is too large (${withoutSecrets(text)})` };
    case DOCUMENT_VALIDATION_FAILURE:
      return {
        code: "UNSUPPORTED",
        retryable: false,
        message: "the collection's validator refuses the record; use a collection of the store's own",
      };
    case COMMAND_NOT_FOUND:
      return { code: "UNSUPPORTED", retryable: false, message: `the server lacks a command (${withoutSecrets(text)})` };
    case OUT_OF_DISK_SPACE:
      return unavailable("the server is out of disk space; make room and try again");
    default:
  }
  if (code !== undefined && PASSING.has(code)) {
    return unavailable(`the server cannot take it now (${withoutSecrets(text)}); try again`);
  }
  const hasLabel =
    error instanceof MongoError &&
    (error.hasErrorLabel("RetryableWriteError") || error.hasErrorLabel("RetryableError"));
  if (hasLabel) return unavailable(`the server cannot take it now (${withoutSecrets(text)}); try again`);
  return { code: "UNKNOWN", retryable: false, message: withoutSecrets(text) };
}

function classifySelection(error: MongoServerSelectionError, text: string): ErrorClassification {
  const servers = error.reason?.servers;
  const reasons = [...(servers?.values() ?? [])].flatMap(({ error: reason }) => reason ?? []);
  for (const reason of reasons) {
    const code = numberOf(reason, "code");
    if (code === AUTHENTICATION_FAILED || code === ATLAS_ERROR) return denied();
    if (isTls(reason)) return unavailable(tlsAdvice(reason.message));
  }
  const hosts = [...(servers?.keys() ?? [])].join(", ");
  return unavailable(
    `no MongoDB server that takes writes answers${hosts === "" ? "" : ` at ${hosts}`} (${withoutSecrets(text)}); ` +
      "check the address, the network and the replica set's name",
  );
}

function tlsAdvice(text: string): string {
  return `the TLS handshake failed (${withoutSecrets(text)}); check tls and the certificates on both sides`;
}

function isTls(error: Error): boolean {
  const texts = [
    error.message,
    error.cause instanceof Error ? `${error.cause.message} ${textOf(error.cause, "code")}` : "",
  ];
  return texts.some((text) => /\b(?:ssl|tls|certificate|ERR_SSL|EPROTO)\b/iu.test(text));
}

/** What Node says of a connection that failed; the driver lets some of it through as it is. */
const NETWORK_CODES = /^(?:E(?:CONN|PIPE|TIMEDOUT|HOST|NET|ADDR|NOTFOUND|AI_AGAIN))/u;

/** The network's failure, also where the driver has wrapped it as that of a bulk write. */
function networkCause(error: unknown): string | undefined {
  for (let each: unknown = error, depth = 0; each instanceof Error && depth < 4; each = each.cause, depth += 1) {
    if (each instanceof MongoNetworkError || NETWORK_CODES.test(textOf(each, "code"))) return each.message;
    if (NETWORK_NAMES.test(each.constructor.name)) return each.message;
  }
  // A bulk write copies the driver's error: what is left of its kind is the want of a server's answer.
  const isWrapped = error instanceof MongoBulkWriteError && error.code === undefined && !hasWriteErrors(error);
  return isWrapped ? error.message : undefined;
}

function hasWriteErrors(error: MongoBulkWriteError): boolean {
  return [error.writeErrors].flat().length > 0 || error.result.getWriteConcernError() !== undefined;
}

function denied(): ErrorClassification {
  return {
    code: "PERMISSION_DENIED",
    retryable: false,
    message: "MongoDB refused the credentials; check user, password and authSource",
  };
}

function unavailable(message: string): ErrorClassification {
  return { code: "UNAVAILABLE", retryable: true, message };
}

/** A driver's text may quote the connection string. */
function withoutSecrets(text: string): string {
  return text.replaceAll(/\/\/[^@/\s]*@/gu, "//***@");
}

function numberOf(error: unknown, field: string): number | undefined {
  const value = typeof error === "object" && error !== null ? (error as Record<string, unknown>)[field] : undefined;
  return typeof value === "number" ? value : undefined;
}

function textOf(error: unknown, field: string): string {
  const value = typeof error === "object" && error !== null ? (error as Record<string, unknown>)[field] : undefined;
  return typeof value === "string" ? value : "";
}

function messageOf(error: unknown): string {
  return textOf(error, "errmsg") || textOf(error, "message") || "no reason was given";
}
