import { defineConfig, type DefaultTheme, type UserConfig } from "vitepress";
import { linksOfRepository } from "./markdown-links.ts";
import { sidebars } from "./navigation.ts";
import { listPages } from "./pages.ts";
import { repositoryUrl, sitePath } from "./repository.ts";

/** How vitepress builds the staged pages, with the sidebar's items of the API's. */
export function siteConfig(api: readonly DefaultTheme.SidebarItem[]): UserConfig<DefaultTheme.Config> {
  const pages = listPages();
  return defineConfig({
    title: "Tidemark",
    description: "A stream consumer's position, in the storage of your choice",
    lang: "en",
    base: sitePath,
    // GitHub Pages serves `costs.html` as `costs`.
    cleanUrls: true,
    head: [["link", { rel: "icon", type: "image/svg+xml", href: `${sitePath}tidemark.svg` }]],
    vite: { publicDir: new URL("../public", import.meta.url).pathname },
    markdown: {
      anchor: { slugify: anchorOf },
      config: (markdown) => linksOfRepository(markdown, pages),
    },
    themeConfig: {
      logo: "/tidemark.svg",
      nav: [
        { text: "Guide", link: "/quick-start", activeMatch: "^/(?!api/)" },
        { text: "API", link: "/api/", activeMatch: "^/api/" },
      ],
      sidebar: sidebars(pages, api),
      outline: { level: [2, 3] },
      search: { provider: "local" },
      socialLinks: [{ icon: "github", link: repositoryUrl }],
      externalLinkIcon: true,
    },
  });
}

/** What GitHub makes of a heading: links between pages name these. */
function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{Pc} -]/gu, "")
    .replaceAll(" ", "-");
}
