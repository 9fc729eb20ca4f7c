import { LogSourceError, type LogSourceErrorCode } from "@tidemark/core";
import { BrokerConnectionError, BrokerRefusal } from "./kafka-errors.ts";
import type { LogCall } from "./log-call.ts";

/** What a broker's refusal or silence means to a user of the log; an error of another kind stays as it is. */
export function toLogError(error: unknown, call: LogCall): unknown {
  if (error instanceof BrokerRefusal) return refused(error, call);
  if (!(error instanceof BrokerConnectionError)) return error;
  const [code, message, retryable] = meaningOf(error);
  return new LogSourceError(`${message}${about(call)}`, {
    code,
    cause: error,
    ...(retryable !== undefined && { retryable }),
    ...where(call),
    // Repeated, it would write them twice.
    ...(call.written !== undefined && { retryable: false }),
  });
}

/** The log has no such topic. */
export function unknownTopic(topic: string): LogSourceError {
  const argument = /^[\w.-]+$/.test(topic) ? topic : JSON.stringify(topic);
  const how = `create it with: tidemark topic create ${argument}`;
  return new LogSourceError(`there is no topic ${JSON.stringify(topic)}; ${how}`, { code: "UNKNOWN_TOPIC", topic });
}

/** The topic has no such partition. */
export function unknownPartition(topic: string, partition: number, partitions: number): LogSourceError {
  const has = partitions === 1 ? "only partition 0" : `partitions 0 to ${partitions - 1}`;
  return new LogSourceError(`topic ${JSON.stringify(topic)} has no partition ${partition}: it has ${has}`, {
    code: "UNKNOWN_PARTITION",
    topic,
    partition,
  });
}

/** The log was closed. */
export function closedLog(): LogSourceError {
  return new LogSourceError("the Kafka log is closed; open it again", { code: "CLOSED" });
}

function meaningOf(error: BrokerConnectionError): readonly [LogSourceErrorCode, string, boolean?] {
  const { failure, message } = error;
  switch (failure) {
    case "unreachable":
      return [
        "UNAVAILABLE",
        `${message}; check the address, that a Kafka broker runs there, and whether it requires TLS`,
      ];
    case "lost":
      return ["UNAVAILABLE", `${message}; it is not known whether the request was carried out`];
    case "timeout":
      return [
        "TIMEOUT",
        `${message}; check that it is a running Kafka broker, or raise timeout (connectTimeout for a new connection)`,
      ];
    case "stranger":
      return ["UNAVAILABLE", `${message}; check host, port, and whether the listener requires TLS`, false];
    case "credentials":
      return ["PERMISSION_DENIED", `${message}; check the mechanism, the user's name, the password, and the port`];
    case "tls":
      return ["UNAVAILABLE", `${message}; check the listener and the certificates`, false];
    case "version":
      return ["UNSUPPORTED", message];
    case "damage":
      return ["CORRUPT_LOG", `${message}; look at it with kafka-dump-log, or move the consumer past it`];
    case "form":
      return ["UNSUPPORTED", message];
    case "answer":
      return ["UNKNOWN", message];
  }
}

function refused(error: BrokerRefusal, call: LogCall): LogSourceError {
  const { id } = error;
  const code = codeOf(error);
  if (code === "TOPIC_EXISTS") {
    const message = `topic ${JSON.stringify(call.topic)} already exists; alter it, or delete it first`;
    return new LogSourceError(message, { code, cause: error, ...where(call) });
  }
  const advice = code === "PERMISSION_DENIED" ? "; allow it for this client's principal in Kafka's ACLs" : "";
  return new LogSourceError(`Kafka refused with ${error.message}${advice}${about(call)}`, {
    code,
    cause: error,
    retryable: call.written === undefined && (error.passing || id === "NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
    ...where(call),
  });
}

function codeOf(error: BrokerRefusal): LogSourceErrorCode {
  if (error.authorization) return "PERMISSION_DENIED";
  if (error.passing && error.id !== "REQUEST_TIMED_OUT") return "UNAVAILABLE";
  switch (error.id) {
    case "TOPIC_ALREADY_EXISTS":
      return "TOPIC_EXISTS";
    case "REQUEST_TIMED_OUT":
      return "TIMEOUT";
    case "INVALID_TOPIC_EXCEPTION":
    case "INVALID_PARTITIONS":
    case "INVALID_REPLICATION_FACTOR":
    case "INVALID_CONFIG":
    case "INVALID_REQUEST":
    case "INVALID_RECORD":
    case "INVALID_TIMESTAMP":
    case "MESSAGE_TOO_LARGE":
    case "RECORD_LIST_TOO_LARGE":
    case "POLICY_VIOLATION":
    case "TOPIC_DELETION_DISABLED":
    case "UNSUPPORTED_VERSION":
    case "UNSUPPORTED_FOR_MESSAGE_FORMAT":
      return "UNSUPPORTED";
    case "NOT_ENOUGH_REPLICAS_AFTER_APPEND":
      return "UNAVAILABLE";
    default:
      return "UNKNOWN";
  }
}

function about({ topic, partition, written }: LogCall): string {
  if (topic === undefined) return "";
  const place = ` (topic ${JSON.stringify(topic)}${partition === undefined ? "" : ` partition "${partition}"`})`;
  return written === undefined ? place : `${place}; the first ${written.records} of ${written.of} records were written`;
}

function where({ topic, partition }: LogCall): { topic?: string; partition?: number } {
  return { ...(topic !== undefined && { topic }), ...(partition !== undefined && { partition }) };
}
