import { visibleText } from "../text/visible-text.ts";

/** What stands for nothing in a table. */
export const NOTHING = "-";

const NO_LINES = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "",
};

/** Between two columns. */
const PADDING = 3;

/** So many rows are laid out at once: what that costs grows with the square of their number. */
const ROWS_AT_ONCE = 100;

/** Writes rows under their headings as aligned columns without lines, each row on a line of its own. */
export async function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): Promise<string> {
  // Loaded when it is needed. It knows how wide a character is on a terminal: names may be Chinese, or emoji.
  const { default: Table } = await import("cli-table3");
  const lines = [headings, ...rows.map((row) => row.map((cell) => visibleText(cell)))];
  const parts = Array.from({ length: Math.ceil(lines.length / ROWS_AT_ONCE) }, (_, index) =>
    lines.slice(index * ROWS_AT_ONCE, (index + 1) * ROWS_AT_ONCE),
  );
  const layOut = (part: readonly (readonly string[])[], colWidths: number[]): string => {
    const style = { "padding-left": 0, "padding-right": PADDING, head: [], border: [] };
    const table = new Table({ chars: NO_LINES, style, colWidths });
    table.push(...part.map((row) => [...row]));
    return table.toString();
  };
  const widths = headings.map(() => 0);
  for (const part of parts) {
    // The layout fills in how wide it made the columns.
    const ofPart: number[] = [];
    layOut(part, ofPart);
    for (const [column, width] of ofPart.entries()) widths[column] = Math.max(widths[column] ?? 0, width);
  }
  const text = parts.map((part) => layOut(part, widths)).join("\n");
  return `${text
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")}\n`;
}
