import type { DefaultTheme } from "vitepress";
import { type Page, titleOf } from "./pages.ts";

/** The guide, in the order in which a newcomer's questions come. Pages that are not there yet are left out. */
const GUIDE: readonly { readonly text: string; readonly pages: readonly (readonly [page: string, text: string])[] }[] =
  [
    {
      text: "Begin",
      pages: [
        ["index", "What and why"],
        ["quick-start", "Quick start"],
        ["tidemark-or-kafka-commits", "Or Kafka's own commits?"],
        ["choosing-a-store", "Which store?"],
        ["semantics", "At least once, exactly once"],
        ["migrating", "Moving here"],
        ["examples", "Examples"],
      ],
    },
    {
      text: "Writing a consumer",
      pages: [
        ["packages/core", "Consumer and session"],
        ["batches-and-parallel-work", "Batches and parallel work"],
        ["sharing", "Several processes"],
        ["packages/reset-policies", "Reset policies"],
        ["options", "Options"],
      ],
    },
    {
      text: "Running it",
      pages: [
        ["production", "In production"],
        ["packages/cli", "The tidemark command"],
        ["monitor", "Lag and alerts"],
        ["observability", "Traces and metrics"],
        ["reset-verbs", "Moving positions"],
        ["moving-positions", "Moving them from a program"],
        ["troubleshooting", "Troubleshooting"],
        ["errors", "Errors"],
      ],
    },
    {
      text: "Stores",
      pages: [
        ["packages/store-sqlite", "SQLite"],
        ["packages/store-postgres", "PostgreSQL"],
        ["postgresql", "PostgreSQL in operation"],
        ["packages/store-redis", "Redis, Valkey"],
        ["packages/store-mongo", "MongoDB"],
        ["packages/store-s3", "S3"],
        ["packages/store-memory", "Memory"],
        ["costs", "What calls cost"],
        ["sizes", "Package sizes"],
        ["benchmarks", "Benchmarks"],
      ],
    },
    {
      text: "Logs",
      pages: [
        ["packages/source-kafka", "Kafka"],
        ["kafka-security", "Kafka's security"],
        ["packages/source-local", "Local file"],
      ],
    },
    {
      text: "A store of your own",
      pages: [
        ["writing-a-store", "Writing a store"],
        ["broken-stores", "Broken stores"],
      ],
    },
    {
      text: "Reference",
      pages: [
        ["contract", "The contract"],
        ["glossary", "Glossary"],
        ["campaign", "The crash campaign"],
        ["contributing", "Contributing"],
      ],
    },
  ];

/**
 * What stands beside each page: beside those of the guide the guide, what is new in `docs/`, the decisions and the changes;
 * beside those of the API their module. All of it beside each would be hundreds of links in every page.
 */
export function sidebars(
  pages: readonly Page[],
  api: readonly DefaultTheme.SidebarItem[],
): Record<string, DefaultTheme.SidebarItem[]> {
  const known = new Set(GUIDE.flatMap((group) => group.pages.map(([page]) => page)));
  const there = new Set(pages.map(({ page }) => page));
  const groups: DefaultTheme.SidebarItem[] = GUIDE.map(({ text, pages: listed }) => ({
    text,
    items: listed.filter(([page]) => there.has(page)).map(([page, title]) => item(page, title)),
  }));
  const rest = pages.filter(({ page }) => !known.has(page) && !/^(?:decisions|changes)\//.test(page));
  groups.at(-1)?.items?.push(...rest.map(({ source, page }) => item(page, titleOf(source))), {
    text: "API",
    link: "/api/",
  });
  const decisions = itemsBelow("decisions/", pages);
  const changes = itemsBelow("changes/", pages);
  groups.push({ text: "Decisions", link: "/decisions/", collapsed: true, items: decisions });
  if (changes.length > 0) groups.push({ text: "Changes", collapsed: true, items: changes });

  const modules: DefaultTheme.SidebarItem = {
    text: "API",
    link: "/api/",
    // With their scope they are longer than the sidebar is wide.
    items: api.map(({ text = "", link = "" }) => ({ text: text.replace("@tidemark/", ""), link })),
  };
  const ofModules = api.map(({ link = "", items = [] }) => [link, [...items, modules]] as const);
  return { "/": groups, "/api/": [modules], ...Object.fromEntries(ofModules) };
}

function itemsBelow(folder: string, pages: readonly Page[]): DefaultTheme.SidebarItem[] {
  return pages
    .filter(({ page }) => page.startsWith(folder))
    .map(({ source, page }) => item(page, titleOf(source).replace(/^\d+: /, "")));
}

function item(page: string, text: string): DefaultTheme.SidebarItem {
  return { text, link: page === "index" ? "/" : `/${page}` };
}
