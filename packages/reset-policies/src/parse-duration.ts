const pattern =
  /^P(?:(?<weeks>\d+)W)?(?:(?<days>\d+)D)?(?:T(?=\d)(?:(?<hours>\d+)H)?(?:(?<minutes>\d+)M)?(?:(?<seconds>\d+(?:[.,]\d{1,9})?)S)?)?$/i;
const calendarUnits = /^[+-]?P[^T]*\d[.,\d]*[YM]/i;

const secondMs = 1000;
const minuteMs = 60 * secondMs;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;
const weekMs = 7 * dayMs;

/**
 * Reads an ISO 8601 duration as Kafka does (`java.time.Duration`: days, hours, minutes, seconds with a fraction), and
 * weeks besides. A day has 24 hours.
 *
 * @returns Whole milliseconds, at least 1.
 * @throws TypeError if it is not such a duration, has years or months, or is not longer than zero.
 */
export function parseDuration(text: string): number {
  if (typeof text !== "string") {
    throw new TypeError(`a duration is a string such as "PT1H", got ${String(text)}`);
  }
  const shown = JSON.stringify(text);
  if (calendarUnits.test(text)) {
    throw new TypeError(`duration ${shown} has years or months, whose lengths differ: write it in days or weeks`);
  }
  if (text.includes("-")) throw new TypeError(`duration ${shown} is negative: write it without a sign`);
  const parts = pattern.exec(text)?.groups;
  const given = Object.values(parts ?? {}).some((part) => part !== undefined);
  if (parts === undefined || !given) {
    throw new TypeError(
      `${shown} is not an ISO 8601 duration: write for example "PT1H" (an hour), "P7D" (a week), "P1DT12H", "PT0.5S"`,
    );
  }
  const milliseconds = Math.floor(
    numberOf(parts["weeks"]) * weekMs +
      numberOf(parts["days"]) * dayMs +
      numberOf(parts["hours"]) * hourMs +
      numberOf(parts["minutes"]) * minuteMs +
      numberOf(parts["seconds"]) * secondMs,
  );
  if (milliseconds < 1) throw new TypeError(`duration ${shown} is shorter than a millisecond`);
  if (!Number.isSafeInteger(milliseconds)) throw new TypeError(`duration ${shown} is too long`);
  return milliseconds;
}

function numberOf(part: string | undefined): number {
  return part === undefined ? 0 : Number(part.replace(",", "."));
}
