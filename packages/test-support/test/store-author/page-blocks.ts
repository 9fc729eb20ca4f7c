/** A fenced block of a page that leads through something. */
export interface PageBlock {
  /** Its language: a program of the shell is `sh`. */
  readonly language: string;
  /** What else the fence says: the name of a file to be written, or `no-run`, or `fails`. */
  readonly word: string | undefined;
  /** The line of the opening fence, counted from 1. */
  readonly line: number;
  readonly text: string;
  /** The line of text above it, which a reader sees, as the fence is not seen; undefined where there is none. */
  readonly above: string | undefined;
}

/** The blocks of a page in their order. */
export function blocksOf(markdown: string): readonly PageBlock[] {
  const found = markdown.matchAll(/^```(?<language>\w+)(?: (?<word>\S+))?\n(?<text>.*?)^```$/gms);
  return Array.from(found, (match) => ({
    above: /(?<line>.+)\n\n$/.exec(markdown.slice(0, match.index))?.groups?.["line"],
    language: match.groups?.["language"] ?? "",
    word: match.groups?.["word"],
    line: markdown.slice(0, match.index).split("\n").length,
    text: match.groups?.["text"] ?? "",
  }));
}
