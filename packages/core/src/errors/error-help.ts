/** Where every code is explained. The anchors stay: errors of versions long installed point there. */
const PAGE = "https://github.com/tidemark-js/tidemark/blob/main/docs/errors.md";
const POINTER = new RegExp(`; see ${PAGE.replaceAll(".", "\\.")}#\\w+`, "gu");

/** The address at which a code is explained. */
export function helpUrlOf(code: string): string {
  // The whole text is made lower case, not `code`: a store may give none, and making an error must not fail.
  return `${PAGE}#${code}`.toLowerCase();
}

/** A message with the address of its code's explanation at its end; those of messages that it quotes are left out. */
export function withHelp(message: string, code: string): string {
  return `${message.replaceAll(POINTER, "")}; see ${helpUrlOf(code)}`;
}
