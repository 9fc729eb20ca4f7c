import type { Broker } from "@platformatic/kafka";
import { validateLogOptionNames, validateName, validateTimeout } from "@tidemark/core/driver";
import type { ClusterOptions } from "./cluster.ts";
import type { KafkaSaslOptions } from "./kafka-credentials.ts";
import type { KafkaLogOptions } from "./kafka-log.ts";

const OPTIONS = ["brokers", "clientId", "tls", "sasl", "isolation", "timeout", "connectTimeout"] as const;
const DEFAULT_PORT = 9092;
const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;
const READ_UNCOMMITTED = 0;
const READ_COMMITTED = 1;

/** Checks a log's options and fills in the defaults. */
export function resolveKafkaLogOptions(options: KafkaLogOptions): {
  readonly cluster: ClusterOptions;
  readonly isolationLevel: number;
} {
  validateLogOptionNames(options, OPTIONS);
  const { brokers, clientId = "tidemark", tls = false, sasl, isolation = "read_committed" } = options;
  const { timeout = DEFAULT_TIMEOUT_MS, connectTimeout = DEFAULT_CONNECT_TIMEOUT_MS } = options;
  if (!Array.isArray(brokers) || brokers.length === 0) {
    throw new TypeError('brokers must be an array of "HOST:PORT", with one of them at least');
  }
  validateName("clientId", clientId);
  validateTimeout("timeout", timeout);
  validateTimeout("connectTimeout", connectTimeout);
  if (isolation !== "read_committed" && isolation !== "read_uncommitted") {
    throw new TypeError(`isolation must be "read_committed" or "read_uncommitted", not ${JSON.stringify(isolation)}`);
  }
  if (typeof tls !== "boolean" && (typeof tls !== "object" || tls === null)) {
    throw new TypeError("tls must be true, false, or the options of tls.connect");
  }
  if (sasl !== undefined) validateSasl(sasl);
  return {
    cluster: {
      brokers: (brokers as readonly string[]).map(parseBroker),
      clientId,
      timeoutMs: timeout,
      connectTimeoutMs: connectTimeout,
      tls: tls === true ? {} : tls === false ? undefined : tls,
      sasl,
    },
    isolationLevel: isolation === "read_committed" ? READ_COMMITTED : READ_UNCOMMITTED,
  };
}

const CREDENTIALS = {
  PLAIN: ["username", "password"],
  "SCRAM-SHA-256": ["username", "password"],
  "SCRAM-SHA-512": ["username", "password"],
  OAUTHBEARER: ["token"],
} as const satisfies Record<KafkaSaslOptions["mechanism"], readonly string[]>;

/** No message repeats what was given: it may be a password in the wrong place. */
function validateSasl(sasl: KafkaSaslOptions): void {
  if (typeof sasl !== "object" || sasl === null || !Object.hasOwn(CREDENTIALS, sasl.mechanism)) {
    throw new TypeError(
      `sasl must be an object with a mechanism, which is one of ${Object.keys(CREDENTIALS).join(", ")}`,
    );
  }
  for (const name of CREDENTIALS[sasl.mechanism]) {
    const credential: unknown = Reflect.get(sasl, name);
    if (typeof credential !== "string" && typeof credential !== "function") {
      throw new TypeError(`sasl.${name} must be a string, or a function that gives one, for ${sasl.mechanism}`);
    }
  }
}

/** A broker from `HOST`, `HOST:PORT`, or `[IPV6]:PORT`. */
export function parseBroker(text: string): Broker {
  if (typeof text !== "string") throw new TypeError(`a broker must be a string "HOST:PORT", not ${typeof text}`);
  const [, bracketed, plain, digits] = /^(?:\[([\da-f:.]+)\]|([^\s:/@[\]?#,]+))(?::(\d{1,5}))?$/i.exec(text) ?? [];
  const host = bracketed ?? plain;
  // Not repeated: what stands before an @ may be a password.
  if (host === undefined) throw new TypeError("a broker is written HOST:PORT, or [ADDRESS]:PORT for IPv6");
  const port = digits === undefined ? DEFAULT_PORT : Number(digits);
  if (port < 1 || port > 65_535) throw new RangeError(`the port of ${host} must be from 1 to 65535, not ${port}`);
  return { host, port };
}
