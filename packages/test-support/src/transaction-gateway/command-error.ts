import type { Document } from "bson";

/** MongoDB's numbers of the errors that the gateway tells, by their names. */
const CODES = {
  BadValue: 2,
  UnknownError: 8,
  FailedToParse: 9,
  TypeMismatch: 14,
  CursorNotFound: 43,
  ImmutableField: 66,
  WriteConflict: 112,
  ConflictingOperationInProgress: 117,
  TransactionTooOld: 225,
  NoSuchTransaction: 251,
  TransactionCommitted: 256,
  OperationNotSupportedInTransaction: 263,
  DuplicateKey: 11_000,
} as const;

/** The name of an error, as MongoDB has it. */
export type CodeName = keyof typeof CODES;

// Of the engine's own states (M...) only these are told apart: observed beside FerretDB's answers to the same commands.
const NAMES_OF_STATES: Readonly<Record<string, CodeName>> = {
  "40001": "WriteConflict",
  "40P01": "WriteConflict",
  // MongoDB does not wait for a lock of another transaction; the engine does, for a moment.
  "55P03": "WriteConflict",
  M0001: "BadValue",
  M0003: "FailedToParse",
  M0004: "TypeMismatch",
  M000M: "ImmutableField",
  M001C: "DuplicateKey",
};

/** A command's failure, as a driver is told of it. */
export class CommandError extends Error {
  readonly codeName: CodeName;

  constructor(codeName: CodeName, message: string) {
    super(message);
    this.codeName = codeName;
  }

  /** MongoDB's number for it. */
  get code(): number {
    return CODES[this.codeName];
  }

  /** The reply. As MongoDB does, it labels what a repetition of the whole transaction may cure. */
  get reply(): Document {
    const transient = this.codeName === "WriteConflict" || this.codeName === "NoSuchTransaction";
    const labels = transient ? { errorLabels: ["TransientTransactionError"] } : {};
    return { ok: 0, errmsg: this.message, code: this.code, codeName: this.codeName, ...labels };
  }
}

/** What a state of the engine means to a driver; one that is not known here is told with the engine's words. */
export function errorOfState(state: string, message: string): CommandError {
  return new CommandError(NAMES_OF_STATES[state] ?? "UnknownError", `${message} (SQLSTATE ${state})`);
}

/** The engine numbers failed writes by its states: five characters, six bits each. */
export function stateOfNumber(number: number): string {
  return String.fromCharCode(...[0, 6, 12, 18, 24].map((bits) => ((number >> bits) & 63) + 48));
}
