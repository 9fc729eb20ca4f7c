import { accessSync, constants, statSync } from "node:fs";
import { dirname } from "node:path";
import type { ErrorClassification } from "@tidemark/core/driver";
import { ForeignSchemaError } from "./schema.ts";

/** SQLite's primary result codes that the store distinguishes. */
const ERROR = 1;
const BUSY = 5;
const READONLY = 8;
const PERM = 3;
const IOERR = 10;
const CORRUPT = 11;
const FULL = 13;
const CANTOPEN = 14;
const PROTOCOL = 15;
const AUTH = 23;
const NOTADB = 26;

/** The file that the store has open is no longer the one under its name. */
export class FileReplacedError extends Error {
  override readonly name = "FileReplacedError";
}

/** The file system cannot hold what the store needs. */
export class UnsupportedFileError extends Error {
  override readonly name = "UnsupportedFileError";
}

/** SQLite's primary result code of an error; `undefined` if it is not SQLite's. */
function resultCode(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined;
  // The upper bits only say more: BUSY_RECOVERY and BUSY_SNAPSHOT are BUSY.
  return error.errcode & 0xff;
}

/** Whether another handle holds a lock, so that the same attempt can succeed a moment later. */
export function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  // PROTOCOL is what the race of several first openers of a WAL file ends in for the unluckiest.
  return code === BUSY || code === PROTOCOL;
}

/** Says what an error means, for a store on this file. */
export function classifySqliteError(error: unknown, file: string): ErrorClassification {
  const name = JSON.stringify(file);
  if (error instanceof ForeignSchemaError) {
    return { code: "UNSUPPORTED", retryable: false, message: `in ${name} ${error.message}` };
  }
  if (error instanceof FileReplacedError) return { code: "UNAVAILABLE", retryable: false, message: error.message };
  if (error instanceof UnsupportedFileError) return { code: "UNSUPPORTED", retryable: false, message: error.message };
  const systemCode = error instanceof Error && "code" in error ? error.code : undefined;
  if (systemCode === "EROFS") return onReadOnlyFileSystem(name);
  if (systemCode === "EACCES" || systemCode === "EPERM") return denied(name);
  const text = error instanceof Error ? error.message : String(error);
  switch (resultCode(error)) {
    case BUSY:
    case PROTOCOL:
      return { code: "UNAVAILABLE", retryable: true, message: `${name} is locked by another connection; try again` };
    case FULL:
      return {
        code: "UNAVAILABLE",
        retryable: true,
        message: `there is no room left for ${name}: nothing was written; free disk space and try again`,
      };
    case READONLY:
    case PERM:
    case AUTH:
      return denied(name);
    case NOTADB:
      return {
        code: "CORRUPT_RECORD",
        retryable: false,
        message: `${name} is not a SQLite database; it is left as it is: name another file, or move this one away`,
      };
    case CORRUPT:
      return {
        code: "CORRUPT_RECORD",
        retryable: false,
        message: `${name} is damaged (${text}); restore it from a backup, or save what can be read with sqlite3's .recover`,
      };
    case ERROR:
      // It was as it should be when the file was opened.
      if (!/^no such (?:table|column)/u.test(text)) break;
      return {
        code: "UNKNOWN",
        retryable: false,
        message: `the store's table was removed from ${name} or changed (${text}); restore it, or open the store again`,
      };
    case CANTOPEN:
      return classifyUnopenable(file);
    case IOERR:
      return { code: "UNAVAILABLE", retryable: true, message: `${name} cannot be read or written (${text})` };
    default:
  }
  return classifyMissingFolder(systemCode, file) ?? { code: "UNKNOWN", retryable: false, message: text };
}

function denied(name: string): ErrorClassification {
  return {
    code: "PERMISSION_DENIED",
    retryable: false,
    message: `this process may not read and write ${name} and its folder (SQLite keeps -wal and -shm files beside it); grant it both`,
  };
}

function onReadOnlyFileSystem(name: string): ErrorClassification {
  return {
    code: "PERMISSION_DENIED",
    retryable: false,
    message: `${name} is on a read-only file system; mount it writable, or keep the positions where this process can write`,
  };
}

/** The store makes no folders: a mistyped path would look like an empty store. */
function classifyMissingFolder(systemCode: unknown, file: string): ErrorClassification | undefined {
  const folder = JSON.stringify(dirname(file));
  if (systemCode === "ENOENT") {
    const message = `the folder ${folder} does not exist; create it or check the path`;
    return { code: "UNAVAILABLE", retryable: false, message };
  }
  return systemCode === "ENOTDIR" ? notAFolder(file) : undefined;
}

function notAFolder(file: string): ErrorClassification {
  const message = `${JSON.stringify(dirname(file))} is not a folder; check the path`;
  return { code: "UNAVAILABLE", retryable: false, message };
}

/** SQLite says only that it cannot open; the file system knows why. */
function classifyUnopenable(file: string): ErrorClassification {
  const name = JSON.stringify(file);
  try {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found?.isDirectory() === true) {
      return { code: "UNAVAILABLE", retryable: false, message: `${name} is a directory; name a file in it` };
    }
    if (found !== undefined) accessSync(file, constants.R_OK | constants.W_OK);
    // Before its mode: a plain file may not be executed, and would be called denied.
    if (!statSync(dirname(file)).isDirectory()) return notAFolder(file);
    accessSync(dirname(file), constants.W_OK | constants.X_OK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === "EROFS") return onReadOnlyFileSystem(name);
    if (code === "EACCES" || code === "EPERM") return denied(name);
    const unopenable = { code: "UNAVAILABLE", retryable: true, message: `${name} cannot be opened (${code})` } as const;
    return classifyMissingFolder(code, file) ?? unopenable;
  }
  return { code: "UNAVAILABLE", retryable: true, message: `${name} cannot be opened` };
}
