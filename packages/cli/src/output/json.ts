import { visibleLines } from "../text/visible-text.ts";

/** Writes data as JSON for programs, readable by people too; ends with a line break. */
export function formatJson(data: unknown): string {
  // What JSON itself leaves as it is: U+009B begins a command for a terminal as Escape does.
  return `${visibleLines(JSON.stringify(data, undefined, 2))}\n`;
}
