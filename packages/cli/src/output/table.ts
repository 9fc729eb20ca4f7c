import { styleText } from "node:util";
import { visibleText } from "../text/visible-text.ts";

/** What stands for nothing in a table. */
export const NOTHING = "-";

/** Between two columns. */
const GAP = "   ";

/**
 * Each of these is one column wide on a terminal; most names and all numbers are made of them. How wide Chinese or emoji are
 * `string-width` knows, which takes 25 ms to load.
 */
const PLAIN = /^[ -~]*$/;

/** Writes rows under their headings as aligned columns without lines, each row on a line of its own; the headings bold where the terminal can. */
export async function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): Promise<string> {
  const lines = [headings, ...rows.map((row) => row.map(visibleText))];
  const isPlain = lines.every((line) => line.every((cell) => PLAIN.test(cell)));
  const widthOf = isPlain ? ({ length }: string): number => length : (await import("string-width")).default;
  const widths = headings.map(() => 0);
  for (const line of lines) {
    for (const [column, cell] of line.entries()) widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
  }
  const pad = (cell: string, column: number): string => cell + " ".repeat((widths[column] ?? 0) - widthOf(cell));
  const [first = "", ...rest] = lines.map((line) => line.map(pad).join(GAP).trimEnd());
  const heading = styleText("bold", first, { stream: process.stdout, validateStream: true });
  return [heading, ...rest].map((line) => `${line}\n`).join("");
}
