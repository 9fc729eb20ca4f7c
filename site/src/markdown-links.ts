import type { MarkdownRenderer } from "vitepress";
import type { Page } from "./pages.ts";
import { siteLink } from "./site-link.ts";

/** Lets the links of pages lead where they lead in the repository: to other pages, or to its files on GitHub. */
export function linksOfRepository(markdown: MarkdownRenderer, pages: readonly Page[]): void {
  const sources = new Map(pages.map(({ source, page }) => [`${page}.md`, source]));
  // Before vitepress looks whether a page's links are dead, which it does while it renders.
  markdown.core.ruler.push("links-of-repository", (state) => {
    const { relativePath } = state.env as { readonly relativePath?: string };
    const source = sources.get(relativePath ?? "");
    if (source === undefined) return;
    for (const block of state.tokens) {
      for (const token of block.children ?? []) {
        const target = token.type === "link_open" ? token.attrGet("href") : undefined;
        if (typeof target === "string") token.attrSet("href", siteLink(source, target, pages));
      }
    }
  });
}
