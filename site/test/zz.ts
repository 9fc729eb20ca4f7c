import { chromium } from "playwright-core";
import { crawl } from "./crawl.ts";
import { serveFolder } from "./serve-folder.ts";
import { sitePath } from "../src/repository.ts";
import { findBrowser } from "@tidemark/test-support/browser";
const found = findBrowser() as any;
const extra = process.argv.slice(2).filter(a=>a.startsWith("--"));
const browser = await chromium.launch({ executablePath: found.path, headless: true, args: ["--no-sandbox","--disable-gpu","--disable-quic","--no-first-run","--disable-background-networking","--disable-component-update","--disable-sync","--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", ...extra] });
const site = await serveFolder("/tmp/siteout", sitePath);
const context = await browser.newContext({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, javaScriptEnabled: !process.argv.includes("nojs") });
if (process.argv.includes("noprefetch")) await context.addInitScript("delete window.IntersectionObserver; window.IntersectionObserver = class { observe(){} unobserve(){} disconnect(){} };");
const visits = await crawl(context, site.url);
console.log(visits.length, visits.flatMap(v=>v.complaints).length);
import { readdirSync, readFileSync } from "node:fs";
let cpu = 0; const by: Record<string, number> = {};
for (const pid of readdirSync("/proc")) { if (!/^\d+$/.test(pid)) continue; try { const s = readFileSync(`/proc/${pid}/stat`, "utf8"); if (!s.includes("(chromium")) continue; const f = s.slice(s.lastIndexOf(")") + 2).split(" "); const c = (Number(f[11]) + Number(f[12])) / 100; cpu += c; const cmd=readFileSync(`/proc/${pid}/cmdline`, "utf8"); const k = /--type=([a-z-]+)/.exec(cmd)?.[1] ?? "main"; by[k] = (by[k] ?? 0) + c; } catch {} }
console.log("chromium", cpu, by);
await browser.close(); await site.close();
