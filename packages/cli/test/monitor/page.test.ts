import { describeWithBrowser } from "@tidemark/test-support/browser";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createWorkspace, numberedLines, type Workspace } from "../support/workspace.ts";
import { fillStore } from "./fill-store.ts";
import { startMonitorCommand } from "./start-monitor.ts";

await describeWithBrowser("the monitor's page", (launch) => {
  let browser: Awaited<ReturnType<typeof launch>>;
  let workspace: Workspace;

  beforeAll(async () => {
    [browser, workspace] = await Promise.all([launch(), createWorkspace()]);
  });
  afterAll(async () => {
    await browser?.close();
    await workspace?.[Symbol.asyncDispose]();
  });

  it("shows a line per consumer that opens to its partitions and a plot, and follows what happens", async () => {
    const { out } = workspace;
    await out("topic create orders --partitions 2");
    await out("produce orders", numberedLines(1, 10));
    await out("consume orders -c billing --all -n 4");
    await out("consume orders -c audit -n 1");
    const { url } = await startMonitorCommand(workspace, ["--interval", "200ms"]);
    const context = await browser.newContext();
    const page = await context.newPage();
    const complaints: string[] = [];
    const hosts = new Set<string>();
    page.on("console", (message) => complaints.push(message.text()));
    page.on("pageerror", (error) => complaints.push(error.message));
    page.on("request", (request) => hosts.add(new URL(request.url()).host));
    await page.goto(url);
    const lines = page.locator("summary");
    await lines.nth(1).waitFor();
    expect(await lines.nth(0).innerText()).toMatch(/^audit\s+4\s/);
    expect(await lines.nth(1).innerText()).toMatch(/^billing\s+6\s/);
    await lines.nth(1).click();
    await page.locator(".uplot canvas").waitFor();
    const rows = page.locator(".scroll tbody tr");
    await rows.nth(1).waitFor();
    expect(await rows.count()).toBe(2);
    // Without a reload.
    await out("produce orders", numberedLines(11, 30));
    await page.locator("summary", { hasText: /^billing\s*26/ }).waitFor();
    await page.locator("#filter").fill("AUD");
    await page.locator("summary", { hasText: "billing" }).waitFor({ state: "detached" });
    expect(await lines.count()).toBe(1);
    expect(complaints).toEqual([]);
    expect([...hosts]).toEqual([new URL(url).host]);
    await context.close();
  });

  it("escapes control characters of names, which would turn around or hide what stands beside them", async () => {
    await using odd = await createWorkspace();
    await odd.run(["topic", "create", "t\u202ex"]);
    await odd.run(["consume", "t\u202ex", "-c", "c\u202e\u009bd", "--until-end"]);
    const { url } = await startMonitorCommand(odd);
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(url);
    const line = page.locator("summary");
    expect(await line.locator(".name").innerText()).toBe("c\\u202e\\u009bd");
    await line.click();
    expect(await page.locator(".scroll tbody td").first().innerText()).toBe("t\\u202ex");
    await context.close();
  });

  it.each([
    ["light", "rgb(255, 255, 255)"],
    ["dark", "rgb(15, 23, 32)"],
  ] as const)("is %s where the reader's machine is", async (colorScheme, background) => {
    const { url } = await startMonitorCommand(workspace);
    const context = await browser.newContext({ colorScheme });
    const page = await context.newPage();
    await page.goto(url);
    expect(await page.evaluate("getComputedStyle(document.body).backgroundColor")).toBe(background);
    await context.close();
  });

  it("shows 1,000 partitions on a phone, no wider than it", async () => {
    await using filled = await createWorkspace();
    const place = await fillStore(filled, { consumers: 2, topics: 1, partitions: 1000 });
    const { url } = await startMonitorCommand(filled, [...place, "--interval", "200ms"]);
    const context = await browser.newContext({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
    const page = await context.newPage();
    await page.goto(url);
    await page.locator("summary").nth(1).tap();
    await page.locator(".scroll tbody tr").nth(999).waitFor({ state: "attached" });
    expect(await page.locator(".scroll tbody tr").count()).toBe(1000);
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(390);
    await context.close();
  });

  it("says that the monitor has ended", async () => {
    const { url, command } = await startMonitorCommand(workspace, ["--interval", "200ms"]);
    const page = await browser.newPage();
    await page.goto(url);
    await page.locator("summary").first().waitFor();
    command.kill("SIGTERM");
    await page.getByRole("alert").getByText("cannot be reached").waitFor();
    expect((await command.ended).code).toBe(0);
    await page.close();
  });
});
