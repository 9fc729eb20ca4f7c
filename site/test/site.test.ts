import { execFile } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Browser, BrowserContextOptions } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { listPages } from "../src/pages.ts";
import { rootFolder, sitePath } from "../src/repository.ts";
import { TEST_EFFORT } from "@tidemark/test-support";
import { describeWithBrowser } from "@tidemark/test-support/browser";
import { brokenLinks, crawl, VUE_IS_THERE } from "./crawl.ts";
import { complaintAboutLink } from "./external-links.ts";
import { serveFolder, type ServedFolder } from "./serve-folder.ts";

/** Of a small present-day phone. */
const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

await describeWithBrowser("the site", (launch) => {
  const folder = mkdtempSync(join(tmpdir(), "tidemark-site-"));
  let browser: Browser;
  let site: ServedFolder;

  beforeAll(async () => {
    const args = ["--conditions=@tidemark/source", join(rootFolder, "site/src/build.ts"), "--out", folder];
    [browser] = await Promise.all([launch(), promisify(execFile)(process.execPath, args)]);
    site = await serveFolder(folder, sitePath);
  }, 600_000);
  afterAll(async () => {
    await browser?.close();
    await site?.close();
    rmSync(folder, { recursive: true });
  });

  it("has no broken link, no error and nothing wider than a phone on any page", { timeout: 900_000 }, async () => {
    const context = await browser.newContext(PHONE);
    // The pages of the API are made by one program from one template: of its interfaces, functions and so on the first ten each.
    const members = new Map<string, number>();
    const visits = await crawl(context, site.url, (url) => {
      const kind = /\/(?<kind>classes|functions|interfaces|type-aliases|variables)\//.exec(url)?.groups?.["kind"];
      if (kind === undefined || TEST_EFFORT > 1) return true;
      members.set(kind, (members.get(kind) ?? 0) + 1);
      return (members.get(kind) ?? 0) <= 10;
    });
    await context.close();
    expect(visits.flatMap(({ complaints }) => complaints)).toEqual([]);
    expect(brokenLinks(visits, site.url)).toEqual([]);
    const pages = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".html"));
    const reached = visits.map(({ url }) => url.slice(site.url.length).replace(/(^|\/)$/, "$1index") + ".html");
    expect(pages.filter((name) => name !== "404.html").sort()).toEqual(reached.sort());

    const external = [...new Set(visits.flatMap(({ links }) => links))].filter((link) => !link.startsWith(site.url));
    expect(external.flatMap((link) => complaintAboutLink(link) ?? [])).toEqual([]);
    // Nothing can be fetched here: whoever looks them up finds them all in this file.
    const listed = new Set(readFileSync(join(folder, "external-links.txt"), "utf8").split("\n"));
    expect(external.filter((link) => !listed.has(link))).toEqual([]);
  });

  it("greets users, with nothing that works in a clone only", () => {
    // Without the marks of the highlighter.
    const home = readFileSync(join(folder, "index.html"), "utf8").replaceAll(/<[^>]*>/g, "");
    expect(home).toContain("npm install @tidemark/core");
    expect(home).not.toContain("pnpm");
  });

  it("shows every table of the guide whole on a screen 1,400 pixels wide", async () => {
    const context = await browser.newContext({ viewport: { width: 1_400, height: 900 } });
    const page = await context.newPage();
    const cut: string[] = [];
    const names = listPages().map(({ page: name }) => name.replace(/^index$/, ""));
    for (const name of names.filter((guide) => !/^(?:decisions|changes)\//.test(guide))) {
      await page.goto(site.url + name, { waitUntil: "domcontentloaded" });
      const tables = await page
        .locator("main table")
        .evaluateAll((found) =>
          found
            .filter((table) => table.scrollWidth > table.clientWidth + 1)
            .map((table) => table.textContent.slice(0, 80)),
        );
      cut.push(...tables.map((text) => `${name}: ${text}`));
    }
    expect(cut).toEqual([]);
    await context.close();
  });

  it("answers each reader's first question by one link from the home page", async () => {
    const context = await browser.newContext(PHONE);
    const page = await context.newPage();
    const questions = [
      ["Why not Kafka's own commits?", "offsets.retention.minutes"],
      ["How does each record count exactly once?", "your results and the position are written in one transaction"],
      ["Replicas, SIGTERM, Kubernetes, memory, poison records?", "terminationGracePeriodSeconds"],
      ["What do I have to write?", "createOffsetStore(mapDriver)"],
    ] as const;
    for (const [question, answer] of questions) {
      await page.goto(site.url);
      await page.getByRole("row", { name: question }).getByRole("link").first().tap();
      await page.locator("main").getByText(answer).first().waitFor();
    }
    await context.close();
  });

  it("leads from page to page by touch", async () => {
    const context = await browser.newContext(PHONE);
    const page = await context.newPage();
    await page.goto(site.url);
    await page.waitForFunction(VUE_IS_THERE);
    await page.locator(".VPNavBarHamburger").tap();
    await page.locator(".VPNavScreen").getByRole("link", { name: "Guide" }).tap();
    await page.waitForURL(`${site.url}quick-start`);
    await page.locator(".VPLocalNav .menu").tap();
    await page.locator(".VPSidebar").getByRole("link", { name: "Redis, Valkey" }).tap();
    await page.waitForURL(`${site.url}packages/store-redis`);
    await page.getByRole("heading", { level: 1, name: "@tidemark/store-redis" }).waitFor();
    await context.close();
  });

  it("finds what is asked for, offline", async () => {
    const context = await browser.newContext(PHONE);
    const page = await context.newPage();
    await page.goto(site.url);
    await page.waitForFunction(VUE_IS_THERE);
    await page.getByRole("button", { name: "Search" }).tap();
    await page.getByRole("searchbox").fill("fencing");
    const result = page.locator(".VPLocalSearchBox .result").first();
    await result.waitFor();
    const target = (await result.getAttribute("href")) ?? "";
    await result.tap();
    await page.waitForURL(new URL(target, site.url).href);
    expect((await page.locator("main").textContent())?.toLowerCase()).toMatch(/fenc(?:ed|ing)/);
    await context.close();
  });

  it("would see what is wrong", async () => {
    const faulty = mkdtempSync(join(tmpdir(), "tidemark-site-"));
    writeFileSync(
      join(faulty, "index.html"),
      `<meta name="viewport" content="width=device-width"><title>Faulty</title><h1 id="here">Faulty</h1>
       <a href="nowhere">gone</a> <a href="#here">fine</a> <a href="other#there">no such place</a>
       <table><tr><td style="min-width: 900px; font-size: 10px">wide and small</td></tr></table>
       <img src="https://example.com/image.png"><script>console.error("broken")</script>`,
    );
    writeFileSync(
      join(faulty, "other.html"),
      `<meta name="viewport" content="width=device-width"><title>Other</title>`,
    );
    const served = await serveFolder(faulty, "/");
    const context = await browser.newContext(PHONE);
    const visits = await crawl(context, served.url);
    const complaints = visits.flatMap((visited) => visited.complaints).join("\n");
    for (const fault of ["nowhere answered 404", "wider than the screen", "scrolls sideways", "small text: <td"]) {
      expect(complaints).toContain(fault);
    }
    expect(complaints).toContain("leaves the machine: https://example.com/image.png");
    expect(complaints).toContain("console: broken");
    expect(brokenLinks(visits, served.url)).toEqual([
      `${served.url}: ${served.url}other#there: the page has no such place`,
    ]);
    expect(complaintAboutLink("http://example.com/")).toContain("not https");
    expect(complaintAboutLink("https://github.com/tidemark-js/tidemark/blob/main/no.ts")).toContain("no such file");
    await context.close();
    await served.close();
    rmSync(faulty, { recursive: true });
  });
});
