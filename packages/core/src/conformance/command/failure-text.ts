import { AssertionError } from "node:assert";
import { stripVTControlCharacters } from "node:util";

/** What a case's failure says, over several lines, with what caused it. */
export function failureText(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const said = stripVTControlCharacters(error.message).trim();
  // Assertions speak for themselves; of others it matters what they are.
  const text = error instanceof AssertionError ? said : `${error.name}: ${said}`;
  const { cause } = error;
  if (cause === undefined || (cause instanceof Error && error.message.includes(cause.message))) return text;
  return `${text}\ncaused by ${failureText(cause)}`;
}
