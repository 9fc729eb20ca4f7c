import type { BrowserContext, Page } from "playwright-core";

/** What a visit to one page found. */
export interface Visit {
  /** Without what stands behind `#`. */
  readonly url: string;
  /** Where its links lead, as whole addresses; those out of the site as they are written. */
  readonly links: readonly string[];
  /** What an address may name behind its `#`. */
  readonly anchors: ReadonlySet<string>;
  /** What is wrong with the page itself. */
  readonly complaints: readonly string[];
}

/** What the script in the page tells. */
interface Measured {
  readonly links: readonly string[];
  readonly anchors: readonly string[];
  readonly complaints: readonly string[];
}

/** VitePress mounts after the page is loaded: a tap before that is lost. */
export const VUE_IS_THERE =
  "document.querySelector('#app') === null || document.querySelector('#app').__vue_app__ !== undefined";

const SMALLEST_TEXT_PX = 16;
/** In tables and code, which are wide. */
const SMALLEST_DENSE_TEXT_PX = 14;

/**
 * Visits a page, and every page of the site that a link of a visited page leads to, a few at a time.
 *
 * @param isLookedAt - Which pages the browser opens, by default all. Of the others only the text is read, for its links.
 */
export async function crawl(
  context: BrowserContext,
  siteUrl: string,
  isLookedAt: (url: string) => boolean = () => true,
): Promise<readonly Visit[]> {
  const visits: Visit[] = [];
  const seen = new Set([siteUrl]);
  const waiting = [siteUrl];
  let underWay = 0;
  const work = async (): Promise<void> => {
    const page = await context.newPage();
    for (;;) {
      const url = waiting.pop();
      if (url === undefined) {
        if (underWay === 0) break;
        await page.waitForTimeout(20);
        continue;
      }
      underWay++;
      try {
        const visited = isLookedAt(url) ? await visit(page, url, siteUrl) : await readText(url);
        visits.push(visited);
        for (const link of visited.links.map(withoutHash)) {
          if (!link.startsWith(siteUrl) || seen.has(link)) continue;
          seen.add(link);
          waiting.push(link);
        }
      } finally {
        underWay--;
      }
    }
    await page.close();
  };
  await Promise.all([work(), work(), work()]);
  return visits;
}

/** Links of visited pages that lead to a page or to a place in a page that is not there. */
export function brokenLinks(visits: readonly Visit[], siteUrl: string): readonly string[] {
  const byUrl = new Map(visits.map((visited) => [visited.url, visited]));
  const broken = visits.flatMap(({ url, links }) =>
    [...new Set(links)].flatMap((link) => {
      if (!link.startsWith(siteUrl)) return [];
      const target = byUrl.get(withoutHash(link));
      const anchor = decodeURIComponent(new URL(link).hash.slice(1));
      if (target === undefined) return [`${url}: ${link} was not visited`];
      return anchor === "" || target.anchors.has(anchor) ? [] : [`${url}: ${link}: the page has no such place`];
    }),
  );
  return broken;
}

async function visit(page: Page, url: string, siteUrl: string): Promise<Visit> {
  const complaints: string[] = [];
  const { origin } = new URL(siteUrl);
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`script: ${error.message}`));
  page.on("request", (request) => {
    const asked = request.url();
    if (!asked.startsWith(`${origin}/`) && !asked.startsWith("data:")) complaints.push(`leaves the machine: ${asked}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) complaints.push(`${response.url()} answered ${response.status()}`);
  });
  await page.goto(url, { waitUntil: "load" });
  // Vue takes the page over a moment later, and says then what it finds wrong.
  await page.waitForFunction(VUE_IS_THERE);
  const measured = await page.evaluate<Measured>(MEASURE);
  page.removeAllListeners();
  return {
    url,
    links: measured.links,
    anchors: new Set(measured.anchors),
    complaints: [...complaints, ...measured.complaints].map((complaint) => `${url}: ${complaint}`),
  };
}

async function readText(url: string): Promise<Visit> {
  const response = await fetch(url);
  const text = await response.text();
  const valuesOf = (pattern: RegExp): readonly string[] =>
    [...text.matchAll(pattern)].map(([, value = ""]) => value.replaceAll("&amp;", "&"));
  const links = valuesOf(/<a\s[^>]*?\bhref="([^"]*)"/g).map((link) => {
    const target = new URL(link, url);
    return target.origin === new URL(url).origin ? target.href : link;
  });
  const complaints = response.ok ? [] : [`${url}: ${url} answered ${response.status}`];
  return { url, links, anchors: new Set(valuesOf(/\sid="([^"]*)"/g)), complaints };
}

function withoutHash(url: string): string {
  return url.replace(/#.*$/, "");
}

/** Runs in the page. */
const MEASURE = `(() => {
  const complaints = [];
  // Of the screen: a phone's own innerWidth grows with what is too wide.
  const width = document.documentElement.clientWidth;
  const wide = (element) => element.getBoundingClientRect().right > width + 1;
  const scrolls = (element) => {
    for (let box = element.parentElement; box !== null; box = box.parentElement) {
      if (/auto|scroll/.test(getComputedStyle(box).overflowX) && !wide(box)) return true;
    }
    return false;
  };
  const content = document.querySelector("main") ?? document.body;
  const tooWide = [...content.querySelectorAll("*")].find((element) => wide(element) && !scrolls(element) && !/auto|scroll/.test(getComputedStyle(element).overflowX));
  if (tooWide) complaints.push("wider than the screen: " + tooWide.outerHTML.slice(0, 200));
  if (document.documentElement.scrollWidth > width) complaints.push("scrolls sideways");
  const small = [...content.querySelectorAll("p, li, td, th, pre code")].find((element) => {
    const smallest = element.closest("table, pre") ? ${SMALLEST_DENSE_TEXT_PX} : ${SMALLEST_TEXT_PX};
    return element.textContent.trim() !== "" && element.checkVisibility() && parseFloat(getComputedStyle(element).fontSize) < smallest;
  });
  if (small) complaints.push("small text: " + small.outerHTML.slice(0, 200));
  if (document.title.trim() === "") complaints.push("has no title");
  return {
    links: [...document.querySelectorAll("a[href]")].map((link) => link.origin === location.origin ? link.href : link.getAttribute("href")),
    anchors: [...document.querySelectorAll("[id]")].map((element) => element.id),
    complaints,
  };
})()`;
