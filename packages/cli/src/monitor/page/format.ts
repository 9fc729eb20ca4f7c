/** What stands for nothing. */
export const NOTHING = "–";

/** A count with its thousands apart, exactly: `12,345`. It may be larger than a number can be. */
export function countText(digits: string): string {
  return BigInt(digits).toLocaleString("en");
}

/** How fast: two digits are enough to see it. */
export function rateText(perSecond: number | undefined): string {
  if (perSecond === undefined) return NOTHING;
  if (perSecond === 0) return "0";
  if (perSecond < 10) return perSecond.toPrecision(2);
  return Math.round(perSecond).toLocaleString("en");
}

/** A large number for the axis of a plot: `1.2M`. */
export function shortText(value: number): string {
  return new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);
}

/** A span of time in its largest unit: `12 s`, `3 min`, `5 h`, `2 d`. */
export function spanText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

const INVISIBLE = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

/** A name, or what quotes one: a control character in it would turn around or hide what stands beside it. */
export function visibleText(text: string): string {
  return text.replaceAll(INVISIBLE, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
