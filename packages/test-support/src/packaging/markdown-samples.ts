/** A fenced block of a page. */
export interface MarkdownSample {
  /** The line of the opening fence, counted from 1. */
  readonly line: number;
  /** Whether it is to be run as well, not only type checked: not fenced as `ts no-run`. */
  readonly runs: boolean;
  /** The servers that it needs: `kafka` and `redis`, where it is fenced as `ts on-kafka on-redis`. */
  readonly servers: readonly string[];
  readonly text: string;
}

/** The `ts` samples of a page, in order. Other fences and fences within other fences are none. */
export function samplesOf(markdown: string): readonly MarkdownSample[] {
  const samples: MarkdownSample[] = [];
  let open: { readonly fence: string; readonly info: string; readonly line: number } | undefined;
  let lines: string[] = [];
  for (const [index, text] of markdown.split("\n").entries()) {
    const fence = /^(?<fence>`{3,}|~{3,})(?<info>.*)$/.exec(text)?.groups;
    if (open === undefined) {
      if (fence === undefined) continue;
      open = { fence: fence["fence"] ?? "", info: (fence["info"] ?? "").trim(), line: index + 1 };
      lines = [];
    } else if (fence !== undefined && fence["fence"] === open.fence && fence["info"] === "") {
      const [language, ...flags] = open.info.split(/\s+/);
      if (language === "ts" || language === "typescript") {
        const servers = flags.filter((flag) => flag.startsWith("on-")).map((flag) => flag.slice("on-".length));
        samples.push({ line: open.line, runs: !flags.includes("no-run"), servers, text: `${lines.join("\n")}\n` });
      }
      open = undefined;
    } else {
      lines.push(text);
    }
  }
  return samples;
}
