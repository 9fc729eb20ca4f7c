/** The text below a command's help: what one would really type. */
export function examples(...lines: readonly string[]): string {
  return `\nExamples:\n${lines.map((line) => `  $ tidemark ${line}`).join("\n")}`;
}
