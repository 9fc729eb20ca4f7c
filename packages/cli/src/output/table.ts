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

/** Writes rows under their headings as aligned columns without lines, each row on a line of its own. */
export async function formatTable(headings: readonly string[], rows: readonly (readonly string[])[]): Promise<string> {
  // Loaded when it is needed. It knows how wide a character is on a terminal: names may be Chinese, or emoji.
  const { default: Table } = await import("cli-table3");
  const table = new Table({ chars: NO_LINES, style: { "padding-left": 0, "padding-right": 3, head: [], border: [] } });
  table.push([...headings], ...rows.map((row) => row.map((cell) => visibleText(cell))));
  return `${table
    .toString()
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n")}\n`;
}
