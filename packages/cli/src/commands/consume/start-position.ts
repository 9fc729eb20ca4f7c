import type { StartPosition } from "@tidemark/core";
import { UsageError } from "../../failure/usage-error.ts";
import { parseMoment } from "../../text/moment.ts";
import { resolvePolicy } from "./reset-policy.ts";

const LARGEST_OFFSET = 2n ** 63n - 1n;
const POSITIONS = ["42 (an offset)", "beginning", "end", "beginning+10", "end-10", "2026-01-31T08:00:00Z"];

/**
 * Reads where to begin: an offset (`42`), `beginning`, `end`, `beginning+10`, `end-10`, a date and time in ISO 8601 (in
 * UTC unless it has a zone), or a reset policy.
 *
 * @throws UsageError if it is none of these.
 */
export async function parseStartPosition(text: string): Promise<StartPosition> {
  if (/^\d+$/.test(text)) return offset(text);
  const [, from, sign, count] = /^(beginning|end)(?:([+-])(\d+))?$/.exec(text) ?? [];
  if (from !== undefined) return relative(text, from, sign, count);
  if (/^\d{4}-\d{2}-\d{2}/.test(text)) return date(text);
  if (/^[+-]\d/.test(text)) {
    throw new UsageError(
      `--start ${text}: an offset cannot be negative; for records from the end write end-${text.slice(1)}`,
    );
  }
  return await resolvePolicy("--start", text, POSITIONS);
}

function offset(text: string): bigint {
  const number = BigInt(text);
  if (number > LARGEST_OFFSET) throw new UsageError(`--start ${text}: an offset is at most 2^63 - 1`);
  return number;
}

function relative(text: string, from: string, sign: string | undefined, count: string | undefined): StartPosition {
  const records = Number(count ?? 0);
  if (!Number.isSafeInteger(records)) throw new UsageError(`--start ${text}: the number of records is too large`);
  if (from === "beginning" && sign !== "-") return { fromBeginning: records };
  if (from === "end" && sign !== "+") return { fromEnd: records };
  throw new UsageError(`--start ${text} lies outside of any log: write beginning+N or end-N`);
}

function date(text: string): Date {
  try {
    return parseMoment(text).date;
  } catch (error) {
    if (error instanceof RangeError) throw new UsageError(`--start ${error.message}`, { cause: error });
    throw error;
  }
}
