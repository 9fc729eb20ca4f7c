import { isIPv6 } from "node:net";
import type { ErrorClassification } from "./driver.ts";

const TLS_CODES = /^(?:ERR_SSL|ERR_TLS|EPROTO|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_)/u;
const NETWORK_CODES: ReadonlySet<string> = new Set([
  "EADDRNOTAVAIL",
  "EAI_AGAIN",
  "ECONNABORTED",
  "ECONNREFUSED",
  "ECONNRESET",
  "EHOSTDOWN",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
  "ENOENT",
  "ENOTFOUND",
  "EPIPE",
  "ETIMEDOUT",
  "ERR_STREAM_PREMATURE_CLOSE",
  "ERR_SOCKET_CLOSED",
  "HPE_INVALID_CONSTANT",
]);

/** What is wrong with a connection: the network, or TLS. */
export interface ConnectionFault {
  readonly kind: "network" | "tls";
  /** Node's own word for it. */
  readonly code: string;
  /** Where the connection was to go, as ` ADDRESS:PORT`, or nothing. By number: a name may be part of a mistyped password. */
  readonly place: string;
}

/** What Node says of a connection that failed; looks through causes, and through the attempts of several addresses. */
export function connectionFaultOf(error: unknown): ConnectionFault | undefined {
  for (let each = error, depth = 0; each instanceof Error && depth < 5; depth += 1) {
    const code = "code" in each && typeof each.code === "string" ? each.code : "";
    if (TLS_CODES.test(code)) return { kind: "tls", code, place: "" };
    if (NETWORK_CODES.has(code)) return { kind: "network", code, place: placeOf(each) };
    each = each instanceof AggregateError ? each.errors[0] : each.cause;
  }
  return undefined;
}

/**
 * The classification of a connection that failed, the same for every store: the network is worth another attempt, TLS is not.
 *
 * @param what - What was to be reached, for example `"the server"`.
 * @param tlsAdvice - What to do about TLS, as a clause.
 */
export function classifyConnectionError(
  error: unknown,
  what: string,
  tlsAdvice: string,
): ErrorClassification | undefined {
  const fault = connectionFaultOf(error);
  if (fault === undefined) return undefined;
  const { kind, code, place } = fault;
  if (kind === "tls") {
    return {
      code: "UNAVAILABLE",
      retryable: false,
      message: `no TLS connection could be made (${code}): ${tlsAdvice}`,
    };
  }
  const message = `${what} cannot be reached (${code}${place}); check that it runs, and its address`;
  return { code: "UNAVAILABLE", retryable: true, message };
}

function placeOf(error: Error): string {
  const failed: unknown = error instanceof AggregateError ? error.errors[0] : error;
  if (!(failed instanceof Error) || !("address" in failed) || !("port" in failed)) return "";
  const { address, port } = failed;
  if (typeof address !== "string" || typeof port !== "number") return "";
  return ` ${isIPv6(address) ? `[${address}]` : address}:${port}`;
}
