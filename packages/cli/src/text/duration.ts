const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  sec: 1000,
  m: 60_000,
  min: 60_000,
  h: 3_600_000,
  hr: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** A hundred years: what every store takes as the longest time to live. */
const LONGEST_MS = 100 * 365.25 * 86_400_000;

const SHORT = /^(?:\d+(?:\.\d+)?(?:ms|sec|min|hr|[smhdw]))+$/;
const SHORT_PART = /(\d+(?:\.\d+)?)(ms|sec|min|hr|[smhdw])/g;
const ISO =
  /^P(?!$)(?:(?<w>\d+(?:\.\d+)?)W)?(?:(?<d>\d+(?:\.\d+)?)D)?(?:T(?!$)(?:(?<h>\d+(?:\.\d+)?)H)?(?:(?<m>\d+(?:\.\d+)?)M)?(?:(?<s>\d+(?:\.\d+)?)S)?)?$/;

/**
 * Reads a duration: `24h`, `90s`, `20m`, `7d`, `500ms`, `1h30m`, or ISO 8601 without months and years, `PT12H`.
 *
 * @returns whole milliseconds, at least 1.
 * @throws RangeError that says what is wrong with it.
 */
export function parseDuration(text: string): number {
  const milliseconds = Math.round(sum(text.trim()));
  if (milliseconds < 1) throw new RangeError("a duration must be longer than 0");
  if (milliseconds > LONGEST_MS) throw new RangeError("at most 100 years are allowed");
  return milliseconds;
}

function sum(text: string): number {
  if (SHORT.test(text)) {
    let total = 0;
    for (const [, amount, unit] of text.matchAll(SHORT_PART))
      total += Number(amount) * (MS_PER_UNIT[unit ?? ""] ?? NaN);
    return total;
  }
  const parts = ISO.exec(text)?.groups;
  if (parts !== undefined) {
    let total = 0;
    for (const [unit, amount] of Object.entries(parts)) total += Number(amount ?? 0) * (MS_PER_UNIT[unit] ?? NaN);
    return total;
  }
  if (text.startsWith("-")) throw new RangeError("a duration cannot be negative");
  if (/^\d+(\.\d+)?$/.test(text)) throw new RangeError(`give the unit too, for example ${text}s, ${text}m or ${text}h`);
  throw new RangeError("write a duration like 24h, 90s, 20m, 7d, 500ms or PT12H");
}

/** Writes a duration exactly, in the largest unit that does: `24h`, `90s`, `7d`. Days only from two on, as people say it. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds % 86_400_000 === 0 && milliseconds >= 2 * 86_400_000) return `${milliseconds / 86_400_000}d`;
  if (milliseconds % 3_600_000 === 0) return `${milliseconds / 3_600_000}h`;
  if (milliseconds % 60_000 === 0) return `${milliseconds / 60_000}m`;
  if (milliseconds % 1000 === 0) return `${milliseconds / 1000}s`;
  return `${milliseconds}ms`;
}
