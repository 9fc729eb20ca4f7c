/** A link of a page. */
export interface MarkdownLink {
  /** Where the link begins, counted from 1. */
  readonly line: number;
  /** As it is written, for example `../core/README.md#options`. */
  readonly target: string;
}

/** The inline links, images and link definitions of a page, in order. What stands in code is none. */
export function linksOf(markdown: string): readonly MarkdownLink[] {
  const text = withoutCode(markdown);
  const links = [...text.matchAll(/\]\(\s*<?(?<target>[^)\s>]+)>?[^)]*\)|^ {0,3}\[[^\]]+\]:\s+(?<defined>\S+)/gm)];
  return links.map(({ index, groups }) => ({
    line: text.slice(0, index).split("\n").length,
    target: groups?.["target"] ?? groups?.["defined"] ?? "",
  }));
}

/** The anchors that a link to a page may end with: those that GitHub makes of its headings, and `id`s written by hand. */
export function anchorsOf(markdown: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ""] of withoutFences(markdown).matchAll(/^ {0,3}#{1,6}\s+(.+?)\s*#*$/gm)) {
    const anchor = heading
      .replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
      .replaceAll(" ", "-");
    let unique = anchor;
    for (let count = 1; anchors.has(unique); count++) unique = `${anchor}-${count}`;
    anchors.add(unique);
  }
  for (const [, id = ""] of withoutCode(markdown).matchAll(/<[a-z]+\s[^>]*\b(?:id|name)="([^"]+)"/g)) anchors.add(id);
  return anchors;
}

/** The page with its fenced blocks and inline code blanked: its lines keep their numbers. */
function withoutCode(markdown: string): string {
  return withoutFences(markdown).replaceAll(/(?<!`)(`+)(?!`)(?:(?!\n\n)[\s\S])*?(?<!`)\1(?!`)/g, blank);
}

function withoutFences(markdown: string): string {
  return markdown.replaceAll(
    /^[ \t]*(?<fence>`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:^[ \t]*\k<fence>[ \t]*$|$(?![\s\S]))/gm,
    blank,
  );
}

function blank(text: string): string {
  return text.replaceAll(/[^\n]/g, " ");
}
