import { accessSync, constants } from "node:fs";
import { dirname } from "node:path";
import { LogSourceError, type LogSourceErrorCode } from "@tidemark/core";

/** What a failing call was about. */
export interface LogCall {
  readonly topic?: string;
  readonly partition?: number;
  readonly signal?: AbortSignal | undefined;
}

// SQLite's primary result codes.
const SQLITE_ERROR = 1;
const SQLITE_PERM = 3;
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_READONLY = 8;
const SQLITE_IOERR = 10;
const SQLITE_CORRUPT = 11;
const SQLITE_FULL = 13;
const SQLITE_CANTOPEN = 14;
const SQLITE_PROTOCOL = 15;
const SQLITE_SCHEMA = 17;
const SQLITE_TOOBIG = 18;
const SQLITE_AUTH = 23;
const SQLITE_NOTADB = 26;

/** A file that the log has open is no longer the one under its name. */
export class FileReplacedError extends Error {
  override readonly name = "FileReplacedError";

  constructor(path: string) {
    super(
      `${JSON.stringify(path)} was deleted or replaced while it was open, and further writes would be lost; ` +
        "close the log and open it again",
    );
  }
}

/** SQLite's primary result code of an error, if it is one of SQLite's. */
function resultCodeOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  return error.errcode & 0xff;
}

/** Whether another connection holds what is needed: the same call may pass a moment later. */
export function isLocked(error: unknown): boolean {
  const code = resultCodeOf(error);
  return code === SQLITE_BUSY || code === SQLITE_LOCKED || code === SQLITE_PROTOCOL || code === SQLITE_SCHEMA;
}

/** What an error of SQLite's or of the file system's means to a user of the log; an error of another kind stays as it is. */
export function toLogError(error: unknown, file: string, call: LogCall = {}): unknown {
  const meaning = meaningOf(error, file);
  if (meaning === undefined) return error;
  const { topic, partition } = call;
  return new LogSourceError(meaning[1], {
    code: meaning[0],
    cause: error,
    // The connection never comes to a file that took its file's place, however often it is asked.
    ...(error instanceof FileReplacedError && { retryable: false }),
    ...(topic !== undefined && { topic }),
    ...(partition !== undefined && { partition }),
  });
}

type Meaning = readonly [LogSourceErrorCode, string];

function meaningOf(error: unknown, path: string): Meaning | undefined {
  const file = JSON.stringify(path);
  if (error instanceof FileReplacedError) return ["UNAVAILABLE", error.message];
  const told = error instanceof Error ? error.message : String(error);
  switch (resultCodeOf(error)) {
    case undefined:
      return meaningOfSystemError(error, path);
    case SQLITE_NOTADB:
      return ["CORRUPT_LOG", `${file} is not a SQLite file; name another file for the log, or move this one away`];
    case SQLITE_CORRUPT:
      return [
        "CORRUPT_LOG",
        `${file} is damaged (${told}); restore it from a copy, or move it away to begin a new log`,
      ];
    case SQLITE_ERROR:
      return [
        "CORRUPT_LOG",
        `${file} has tables named tidemark_log_ with other columns (${told}); name another file for the log`,
      ];
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return (
        meaningOfFolder(path) ?? [
          "PERMISSION_DENIED",
          `${file} cannot be written (${told}); check the mode of the file and of its folder`,
        ]
      );
    case SQLITE_FULL:
      return [
        "UNAVAILABLE",
        `there is no room left for ${file}: nothing of this call was written; free disk space and try again`,
      ];
    case SQLITE_CANTOPEN:
      return meaningOfFolder(path) ?? ["UNAVAILABLE", `${file} cannot be opened (${told}); check its folder`];
    case SQLITE_IOERR:
      return ["UNAVAILABLE", `${file} cannot be read or written (${told}); check the disk`];
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
    case SQLITE_SCHEMA:
      return ["TIMEOUT", `${file} was locked by another process for too long; try again, or raise the timeout`];
    case SQLITE_TOOBIG:
      return ["UNSUPPORTED", "a record is larger than SQLite can hold (1 GB)"];
    default:
      return ["UNKNOWN", `${file}: ${told}`];
  }
}

/** SQLite says only that it cannot open; the file system knows why. */
function meaningOfFolder(path: string): Meaning | undefined {
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
    return undefined;
  } catch (error) {
    return meaningOfSystemError(error, path);
  }
}

function meaningOfSystemError(error: unknown, path: string): Meaning | undefined {
  if (!(error instanceof Error) || !("syscall" in error) || !("code" in error)) return undefined;
  const file = JSON.stringify(path);
  switch (error.code) {
    case "EROFS":
      return [
        "PERMISSION_DENIED",
        `${file} is on a read-only file system, and SQLite writes files beside it (-wal and -shm), also to read; mount it writable, or copy the file to where it can be written`,
      ];
    case "EACCES":
    case "EPERM":
      return [
        "PERMISSION_DENIED",
        `${file} cannot be opened (${error.message}); check the mode of the file and its folder`,
      ];
    case "ENOSPC":
    case "EDQUOT":
      return ["UNAVAILABLE", `there is no room left for ${file}; free disk space and try again`];
    default:
      return ["UNKNOWN", `${file} cannot be opened: ${error.message}`];
  }
}

/** The log has no such topic. */
export function unknownTopic(topic: string): LogSourceError {
  const name = JSON.stringify(topic);
  const argument = /^[\w.-]+$/.test(topic) ? topic : name;
  return new LogSourceError(`there is no topic ${name}; create it with: tidemark topic create ${argument}`, {
    code: "UNKNOWN_TOPIC",
    topic,
  });
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
export function closedLog(file: string): LogSourceError {
  return new LogSourceError(`the log ${JSON.stringify(file)} is closed; open it again`, { code: "CLOSED" });
}
