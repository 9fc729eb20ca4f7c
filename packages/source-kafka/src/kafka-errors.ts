import { protocolErrors, protocolErrorsCodesById } from "@platformatic/kafka";

/** The error codes of Kafka's protocol that mean more to us than their text. */
export const OFFSET_OUT_OF_RANGE = 1;
export const UNKNOWN_TOPIC_OR_PARTITION = 3;
export const LEADER_NOT_AVAILABLE = 5;
export const MESSAGE_TOO_LARGE = 10;
export const INVALID_TOPIC_EXCEPTION = 17;
export const RECORD_LIST_TOO_LARGE = 18;
export const OUT_OF_ORDER_SEQUENCE_NUMBER = 45;
export const UNKNOWN_PRODUCER_ID = 59;
export const UNKNOWN_LEADER_EPOCH = 76;
export const OFFSET_NOT_AVAILABLE = 78;
export const UNSUPPORTED_VERSION = 35;
export const TOPIC_ALREADY_EXISTS = 36;

const AUTHORIZATION_FAILURES: ReadonlySet<string> = new Set([
  "TOPIC_AUTHORIZATION_FAILED",
  "GROUP_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
  "SASL_AUTHENTICATION_FAILED",
  "SECURITY_DISABLED",
]);

/** Refusals that pass by themselves while the cluster finds itself again: another leader, a replica that catches up. */
const PASSING: ReadonlySet<string> = new Set([
  "UNKNOWN_TOPIC_OR_PARTITION",
  "LEADER_NOT_AVAILABLE",
  "NOT_LEADER_OR_FOLLOWER",
  "REQUEST_TIMED_OUT",
  "BROKER_NOT_AVAILABLE",
  "REPLICA_NOT_AVAILABLE",
  "NETWORK_EXCEPTION",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "NOT_CONTROLLER",
  "KAFKA_STORAGE_ERROR",
  "LISTENER_NOT_FOUND",
  "FENCED_LEADER_EPOCH",
  "UNKNOWN_LEADER_EPOCH",
  "OFFSET_NOT_AVAILABLE",
  "UNKNOWN_TOPIC_ID",
  "INCONSISTENT_TOPIC_ID",
  "NOT_ENOUGH_REPLICAS",
  "THROTTLING_QUOTA_EXCEEDED",
]);

/** A broker answered, and refused. */
export class BrokerRefusal extends Error {
  override readonly name = "BrokerRefusal";
  readonly errorCode: number;
  /** The code's name in Kafka's protocol, for example `NOT_LEADER_OR_FOLLOWER`. */
  readonly id: string;

  constructor(errorCode: number, detail?: string | null) {
    const id = protocolErrorsCodesById[errorCode] ?? `error ${errorCode}`;
    super(`${id}: ${detail ?? protocolErrors[id]?.message ?? "the broker gave no reason"}`);
    this.errorCode = errorCode;
    this.id = id;
  }

  /** Whether the same question may be answered a moment later, perhaps by another broker. */
  get passing(): boolean {
    return PASSING.has(this.id) || this.#isOfFencedBrokers;
  }

  /** A new topic has no place while no broker's heartbeat has come: after a start, or after the machine stood still. */
  get #isOfFencedBrokers(): boolean {
    return this.id === "INVALID_REPLICATION_FACTOR" && this.message.includes("currently fenced");
  }

  get authorization(): boolean {
    return AUTHORIZATION_FAILURES.has(this.id);
  }
}

/** What went wrong between us and a broker. */
export type ConnectionFailure =
  /** No server listens there, or the name does not resolve. */
  | "unreachable"
  /** The connection ended while an answer was awaited. */
  | "lost"
  | "timeout"
  /** What listens there does not speak Kafka's protocol. */
  | "stranger"
  | "credentials"
  | "tls"
  /** The broker is too old or too new for what we ask. */
  | "version"
  /** The broker's answer could not be read. */
  | "answer"
  /** The records that the broker has could not be read. */
  | "damage"
  /** They are whole, in a form that is not known here. */
  | "form";

/** A broker did not answer. */
export class BrokerConnectionError extends Error {
  override readonly name = "BrokerConnectionError";
  readonly failure: ConnectionFailure;
  /** `HOST:PORT`. */
  readonly address: string;

  constructor(failure: ConnectionFailure, address: string, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
    this.address = address;
  }
}

/** Throws what a broker refused with, if it did. */
export function throwIfRefused(errorCode: number, detail?: string | null): void {
  if (errorCode !== 0) throw new BrokerRefusal(errorCode, detail);
}

/** Whether trying again may help, after the metadata was looked up again. */
export function isPassing(error: unknown): boolean {
  if (error instanceof BrokerRefusal) return error.passing;
  if (!(error instanceof BrokerConnectionError)) return false;
  return error.failure === "unreachable" || error.failure === "lost" || error.failure === "timeout";
}

/** Whether the call was certainly not carried out, so that it can be repeated without being done twice. */
export function isUndone(error: unknown): boolean {
  if (error instanceof BrokerRefusal) return error.id !== "REQUEST_TIMED_OUT" && error.passing;
  return error instanceof BrokerConnectionError && error.failure === "unreachable";
}
