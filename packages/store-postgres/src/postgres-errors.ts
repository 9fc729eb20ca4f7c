import { classifyConnectionError, type ErrorClassification } from "@tidemark/core/driver";

/** The database or the table cannot hold what the store needs. */
export class UnsupportedTableError extends Error {
  override readonly name = "UnsupportedTableError";
}

/** COMMIT was answered with ROLLBACK: a statement of the transaction has failed. The server has no error for it; this is like one. */
export class FailedTransactionError extends Error {
  override readonly name = "FailedTransactionError";
  readonly severity = "ERROR";
  readonly code = "25P02";

  constructor() {
    super("the server rolled the transaction back instead of committing it");
  }
}

/** Codes of statements that were ended for another one, and have surely written nothing: deadlock, serialization, lock. */
const GAVE_WAY = new Set(["40P01", "40001", "55P03"]);
const TLS_ADVICE = "check the URL's sslmode, sslrootcert, sslcert and sslkey, and the server's certificate";
/** What pg and postgres.js say of a connection that is gone, where the system says nothing. */
const LOST_TEXTS = /^Connection terminated/u;
const LOST_CODES = /^CONNECTION_/u;
/** What they say where none was free, or could be made, in time. */
const LATE_TEXTS = /^(?:timeout exceeded when trying to connect|timeout expired|write CONNECT_TIMEOUT)/u;
/** What pg says after its `query_timeout`: the server may still do what it was asked for. */
const SILENT_TEXT = "Query read timeout";
/** What pg says of a client whose connection has ended: it never makes another one. */
const CLIENT_TEXTS = /^Client (?:has encountered a connection error|was closed)/u;

/** The server's code of an error: five characters, and with them the severity, which Node's errors do not have. */
export function sqlStateOf(error: unknown): string | undefined {
  const { code, severity } = (error ?? {}) as { readonly code?: unknown; readonly severity?: unknown };
  return typeof code === "string" && /^[0-9A-Z]{5}$/u.test(code) && typeof severity === "string" ? code : undefined;
}

/** Whether a statement was ended so that another one can continue: nothing of it was written. */
export function gaveWay(error: unknown): boolean {
  return GAVE_WAY.has(sqlStateOf(error) ?? "");
}

/** Says what an error means. */
export function classifyPostgresError(error: unknown, table: string): ErrorClassification {
  if (error instanceof UnsupportedTableError) return unsupported(error.message);
  const text = textOf(error);
  const state = sqlStateOf(error);
  if (state !== undefined) return classifyState(state, text, table);
  if (/\bSSL\b/u.test(text)) return refused("UNAVAILABLE", `no TLS connection could be made (${text}): ${TLS_ADVICE}`);
  if (text.startsWith("SASL")) return denied(`PostgreSQL refused the credentials (${text}); check user and password`);
  if (CLIENT_TEXTS.test(text)) {
    return refused(
      "UNAVAILABLE",
      `the client's connection has ended (${text}): give the store a pool, or open it again`,
    );
  }
  if (LATE_TEXTS.test(text)) {
    return late(`no connection to PostgreSQL was free, or could be made, in time (${text}); it is safe to retry`);
  }
  if (text === SILENT_TEXT) {
    return late("PostgreSQL did not answer within the client's query_timeout; it is safe to retry");
  }
  const code = (error as { readonly code?: unknown } | undefined | null)?.code;
  if (LOST_TEXTS.test(text) || (typeof code === "string" && LOST_CODES.test(code))) {
    return unavailable(`the connection to PostgreSQL failed (${text}); try again`);
  }
  return classifyConnectionError(error, "the server", TLS_ADVICE) ?? refused("UNKNOWN", text);
}

function classifyState(state: string, text: string, table: string): ErrorClassification {
  const said = `(${state}: ${text})`;
  switch (state) {
    case "42501":
      return denied(
        `the user lacks a privilege ${said}; grant it USAGE on the schema and SELECT, INSERT, UPDATE, DELETE on ${table}, ` +
          "and, to create the table, CREATE on the schema",
      );
    case "42P01":
    case "42703":
    case "42804":
    case "42883":
    case "42P10":
      return unsupported(`the table ${table} is missing or was changed ${said}; create it again, or use another table`);
    case "3D000":
      return refused("UNAVAILABLE", `there is no such database ${said}; create it, or check the URL`);
    case "3F000":
      return refused("UNAVAILABLE", `there is no such schema ${said}; create it, or name another schema`);
    case "22021":
    case "22P05":
      return unsupported(`the database cannot store this text ${said}; use one with the encoding UTF8`);
    case "25006":
      return unavailable(`the server is read-only ${said}; connect to the primary, or wait for it`);
    case "53100":
      return unavailable(`the server's disk is full ${said}: nothing was written; make room and try again`);
    case "53300":
      return unavailable(
        `the server has too many connections ${said}; raise max_connections, or use a connection pooler`,
      );
    case "57014":
      return late(`the server cancelled the statement ${said}; it is safe to retry`);
    case "40001":
    case "40P01":
      return {
        code: "CONFLICT",
        retryable: true,
        message: `the transaction conflicted with another one and was aborted ${said}: nothing of it is stored; retry the whole transaction`,
      };
    case "25P02":
      return refused(
        "UNKNOWN",
        `a statement of the transaction failed before ${said}: nothing of the transaction is stored; await every statement, ` +
          "and see the error of the one that failed",
      );
    case "25P03":
      return unavailable(
        `the server rolled back a transaction that was idle for too long ${said}; do slow work ` +
          "before the transaction, or raise transactionIdleTimeout",
      );
    case "55P03":
      return unavailable(`other transactions hold locks on the same rows ${said}; try again`);
    default:
  }
  // Credentials; the connection; resources; an operator's intervention; the system below.
  if (state.startsWith("28")) return denied(`PostgreSQL refused the credentials ${said}; check user and password`);
  if (/^(?:08|53|57P|58)/u.test(state))
    return unavailable(`the server cannot serve the request now ${said}; try again`);
  return refused("UNKNOWN", `PostgreSQL failed ${said}`);
}

function unavailable(message: string): ErrorClassification {
  return { code: "UNAVAILABLE", retryable: true, message };
}

function late(message: string): ErrorClassification {
  return { code: "TIMEOUT", retryable: true, message };
}

function denied(message: string): ErrorClassification {
  return refused("PERMISSION_DENIED", message);
}

function unsupported(message: string): ErrorClassification {
  return refused("UNSUPPORTED", message);
}

function refused(code: ErrorClassification["code"], message: string): ErrorClassification {
  return { code, retryable: false, message };
}

/** What an error says, without a full stop. */
function textOf(error: unknown): string {
  const { message } = (typeof error === "object" && error !== null ? error : {}) as { readonly message?: unknown };
  return typeof message === "string" && message !== "" ? message.replace(/\.+$/u, "") : "no reason was given";
}
