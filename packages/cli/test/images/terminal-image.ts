/** Some text of a line, as the terminal shows it. */
interface Segment {
  readonly text: string;
  readonly colour: string;
  readonly isBold: boolean;
}

const FONT_SIZE = 14;
const CHARACTER_WIDTH = 8.4;
const LINE_HEIGHT = 20;
const PADDING = 20;
const PLAIN = "#e6edf3";
/** What `ESC [ n m` chooses, of what the command writes. */
const COLOURS: Readonly<Record<string, string>> = { "31": "#ff7b72", "33": "#e3b341", "39": PLAIN, "0": PLAIN };
const PROMPT = "#4fb3bf";
const STYLE = new RegExp(String.raw`\x1b\[(\d*)m`);

/** A command, and all that the terminal got of it. */
export interface Shown {
  readonly command: string;
  readonly output: string;
}

/** Draws what a terminal shows, as an SVG in which each character has its place, whatever font is there. */
export function terminalImage(shown: readonly Shown[]): string {
  const lines = shown.flatMap(({ command, output }, index): (readonly Segment[])[] => [
    ...(index === 0 ? [] : [[]]),
    [
      { text: "$ ", colour: PROMPT, isBold: true },
      { text: command, colour: PLAIN, isBold: true },
    ],
    ...segmentsOf(output.replaceAll("\r", "").trimEnd()),
  ]);
  const columns = Math.max(...lines.map((line) => line.reduce((sum, { text }) => sum + text.length, 0)));
  const width = Math.ceil(columns * CHARACTER_WIDTH) + 2 * PADDING;
  const height = lines.length * LINE_HEIGHT + 2 * PADDING;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}">`,
    `<rect width="${width}" height="${height}" rx="8" fill="#0f1720"/>`,
    `<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${FONT_SIZE}" xml:space="preserve">`,
    ...lines.flatMap((line, number) => textsOf(line, PADDING + (number + 1) * LINE_HEIGHT - 6)),
    "</g>",
    "</svg>",
    "",
  ].join("\n");
}

function* segmentsOf(output: string): Iterable<readonly Segment[]> {
  let colour = PLAIN;
  let isBold = false;
  for (const line of output.split("\n")) {
    const segments: Segment[] = [];
    for (const [index, part] of line.split(STYLE).entries()) {
      if (index % 2 === 0) {
        if (part !== "") segments.push({ text: part, colour, isBold });
        continue;
      }
      colour = COLOURS[part] ?? colour;
      if (part === "1") isBold = true;
      if (part === "22" || part === "0") isBold = false;
    }
    yield segments;
  }
}

/** Words, each at its column: what lies between them is a font's own affair. */
function textsOf(line: readonly Segment[], y: number): string[] {
  const texts: string[] = [];
  let column = 0;
  for (const { text, colour, isBold } of line) {
    for (const { 0: word, index } of text.matchAll(/\S+(?: \S+)*/g)) {
      const x = (PADDING + (column + index) * CHARACTER_WIDTH).toFixed(1);
      const length = (word.length * CHARACTER_WIDTH).toFixed(1);
      const weight = isBold ? ' font-weight="bold"' : "";
      texts.push(`<text x="${x}" y="${y}" textLength="${length}" fill="${colour}"${weight}>${escapeXml(word)}</text>`);
    }
    column += text.length;
  }
  return texts;
}

function escapeXml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
