// Any string is a legal name: one with a line break must not break a table, one with an escape sequence not the terminal.
const INVISIBLE = /[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;
const INVISIBLE_IN_LINES = /(?![\n\t])[\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069]/gu;

/** Text for a person's eyes: control characters written as `\n` or `\u001b`. */
export function visibleText(text: string): string {
  return text.replaceAll(INVISIBLE, escaped);
}

/** The same for text that has lines of its own. */
export function visibleLines(text: string): string {
  return text.replaceAll(INVISIBLE_IN_LINES, escaped);
}

/** Whether text that has lines of its own has a character that {@link visibleLines} escapes. */
export function hasInvisible(text: string): boolean {
  return visibleLines(text) !== text;
}

/** A name in quotes, as messages have it. */
export function quoted(name: string): string {
  return visibleText(JSON.stringify(name));
}

function escaped(character: string): string {
  const inJson = JSON.stringify(character).slice(1, -1);
  return inJson === character ? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}` : inJson;
}

/** Gives a count with its noun: `1 record`, `2 records`. */
export function counted(count: number | bigint, noun: string): string {
  return `${count} ${noun}${count === 1 || count === 1n ? "" : "s"}`;
}
