import { ResponseError, TimeoutError } from "@platformatic/kafka";
import type { ConnectionSettings } from "./broker-connection.ts";
import { BrokerConnectionError } from "./kafka-errors.ts";

// The first answer lists versions or mechanisms, which is some kilobytes.
const LONGEST_FIRST_ANSWER = 1_000_000;

/** What the client says of a failing connection, as one of a few kinds. */
export function connectionError(address: string, error: unknown): BrokerConnectionError {
  if (error instanceof BrokerConnectionError) return error;
  const chain = causesOf(error);
  const codes = chain.map(codeOf);
  const tls = chain.find(
    (cause) => /\bTLS\b|certificate/.test(cause.message) || /SSL|TLS|CERT|SIGNED/.test(codeOf(cause)),
  );
  if (tls !== undefined) {
    return new BrokerConnectionError("tls", address, `no TLS connection with ${address}: ${tlsReason(tls)}`, error);
  }
  const authentication = codes.indexOf("PLT_KFK_AUTHENTICATION");
  // A connection that is lost in the middle of it says nothing of the credentials.
  if (authentication !== -1 && !codes.includes("PLT_KFK_NETWORK", authentication)) {
    return new BrokerConnectionError("credentials", address, refusedCredentials(address, chain), error);
  }
  const system = systemCodeOf(codes);
  if (codes.includes("PLT_KFK_NETWORK")) {
    const why = system === undefined ? "" : ` (${system})`;
    return new BrokerConnectionError("lost", address, `the connection to ${address} was lost${why}`, error);
  }
  const deepest = chain.at(-1)?.message ?? String(error);
  return new BrokerConnectionError("answer", address, `the answer of ${address} could not be read: ${deepest}`, error);
}

/** The same of a connection that never came about: nothing was asked on it. */
export function openingError(
  address: string,
  error: unknown,
  { connectTimeoutMs, tls, sasl }: ConnectionSettings,
): BrokerConnectionError {
  const known = connectionError(address, error);
  if (known.failure !== "lost") return known;
  const chain = causesOf(error);
  if (chain.some((cause) => cause instanceof TimeoutError)) {
    const included = [tls === undefined ? [] : "TLS", sasl === undefined ? [] : "credentials"].flat().join(" and ");
    const what = included === "" ? "connection" : `connection with ${included}`;
    return new BrokerConnectionError(
      "timeout",
      address,
      `no ${what} to ${address} within ${connectTimeoutMs} ms`,
      error,
    );
  }
  const system = systemCodeOf(chain.map(codeOf));
  const why = system === undefined ? "closed at once, without an answer" : system;
  return new BrokerConnectionError("unreachable", address, `no connection to ${address} (${why})`, error);
}

/** What the first bytes give away, if they are no short answer of Kafka's. With TLS they come deciphered. */
export function surpriseIn(chunk: Buffer, address: string): BrokerConnectionError | undefined {
  const [first = 0, second] = chunk;
  if (first >= 0x14 && first <= 0x17 && second === 0x03) {
    return new BrokerConnectionError("tls", address, `the broker ${address} requires TLS`);
  }
  if (chunk.length >= 4 && chunk.readUInt32BE(0) <= LONGEST_FIRST_ANSWER) return undefined;
  return new BrokerConnectionError("stranger", address, `the server on ${address} does not speak Kafka's protocol`);
}

/** Why there was no TLS. What OpenSSL says is for its authors: places in its sources, on a line of its own. */
function tlsReason(error: Error): string {
  const code = codeOf(error);
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER" || /verify the broker supports TLS/.test(error.message)) {
    return "the listener does not speak TLS";
  }
  if (code.startsWith("ERR_SSL_")) {
    return "reason" in error && typeof error.reason === "string" ? error.reason : code;
  }
  return error.message.trim().replace(/\.$/, "");
}

function refusedCredentials(address: string, chain: readonly Error[]): string {
  // The client asks for them when it connects, and its error is around that of their provider.
  const asked = chain.findIndex(({ message }) => / provider (?:threw|should) /.test(message));
  if (asked !== -1) return `no credentials for ${address}: ${(chain[asked + 1] ?? chain[asked])?.message}`;
  const ids = chain.map((cause) => ("apiId" in cause ? cause.apiId : undefined));
  if (ids.includes("ILLEGAL_SASL_STATE")) return `the listener ${address} does not use SASL`;
  if (!ids.includes("UNSUPPORTED_SASL_MECHANISM")) return `the broker ${address} refused the credentials`;
  const response = chain.find((cause) => cause instanceof ResponseError)?.["response"] as
    | { readonly mechanisms?: readonly string[] }
    | undefined;
  const mechanisms = response?.mechanisms ?? [];
  const offers = mechanisms.length === 0 ? "" : `: it offers ${mechanisms.join(", ")}`;
  return `the broker ${address} does not support this SASL mechanism${offers}`;
}

function codeOf(error: Error): string {
  return "code" in error ? String(error.code) : "";
}

function systemCodeOf(codes: readonly string[]): string | undefined {
  return codes.find((code) => /^E[A-Z_]+$/.test(code));
}

function causesOf(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let at = error; at instanceof Error && chain.length < 10; at = at.cause) {
    chain.push(at);
    if (at instanceof AggregateError) chain.push(...at.errors.filter((inner) => inner instanceof Error));
  }
  return chain;
}
