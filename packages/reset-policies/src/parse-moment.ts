const pattern =
  /^(?<year>\d{4})-(?<month>\d{2})-(?<day>\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:[.,]\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/**
 * Reads an ISO 8601 date (midnight UTC), or date and time with its zone. A time without a zone is refused: it would be
 * another moment on every machine.
 *
 * @throws TypeError if it is not one.
 */
export function parseMoment(text: string): Date {
  const parts = pattern.exec(text)?.groups;
  const date = new Date(text.replace(",", "."));
  if (parts === undefined || Number.isNaN(date.getTime()) || !isDay(parts)) {
    throw new TypeError(
      `${JSON.stringify(text)} is not an ISO 8601 moment: write for example "2026-01-01" or "2026-01-01T12:00:00Z", with a zone`,
    );
  }
  return date;
}

// `Date` reads the 30th of February as the 2nd of March.
function isDay({ year, month, day }: Record<string, string | undefined>): boolean {
  const date = new Date(Date.UTC(Number(year), Number(month) - 1, Number(day)));
  return date.getUTCMonth() === Number(month) - 1 && date.getUTCDate() === Number(day);
}
