const FORM =
  /^(?<date>(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2}))(?:T(?<time>\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?)(?<zone>Z|[+-]\d{2}:?\d{2})?)?$/;

/** A moment as a person wrote it. */
export interface Moment {
  readonly date: Date;
  /** Whether its zone was said; if not, it was read as UTC, as Kafka's own tool reads it: the same moment on every machine. */
  readonly hasZone: boolean;
}

/**
 * Reads a date (midnight UTC), or date and time, in ISO 8601: `2026-01-31`, `2026-01-31T08:00:00Z`,
 * `2026-01-31T08:00:00.000+01:00`.
 *
 * @throws RangeError that says how to write it.
 */
export function parseMoment(text: string): Moment {
  const { date: day = "", time, zone, ...parts } = FORM.exec(text)?.groups ?? {};
  const date = new Date(time === undefined ? day : `${day}T${time.replace(",", ".")}${isoZone(zone)}`);
  if (Number.isNaN(date.getTime()) || !isDay(parts)) {
    throw new RangeError(`${JSON.stringify(text)} is not a date: write it like 2026-01-31T08:00:00Z`);
  }
  return { date, hasZone: zone !== undefined };
}

function isoZone(zone: string | undefined): string {
  if (zone === undefined) return "Z";
  return zone.length === 5 ? `${zone.slice(0, 3)}:${zone.slice(3)}` : zone;
}

// `Date` reads the 30th of February as the 2nd of March.
function isDay({ year, month, day }: Record<string, string | undefined>): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}
