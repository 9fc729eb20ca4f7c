import { setTimeout as pause } from "node:timers/promises";
import { join } from "node:path";
import { openLocalLog } from "@tidemark/source-local";
import { findBrowser, launchBrowser } from "@tidemark/test-support/browser";
import { startMonitorCommand } from "../monitor/start-monitor.ts";
import { createWorkspace } from "../support/workspace.ts";

/** How long consumers work before the pictures are taken, and after which part of it one of them ends. */
const WORK_MS = 60_000;
const BILLING_ENDS_AT = 0.6;
const STEP_MS = 250;

/** The machines on which it is looked at, by the name of the picture. */
const VIEWS = {
  monitor: { viewport: { width: 1280, height: 800 }, colorScheme: "light" },
  "monitor-dark": { viewport: { width: 1280, height: 800 }, colorScheme: "dark" },
  "monitor-phone": {
    viewport: { width: 390, height: 844 },
    colorScheme: "light",
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  },
} as const;

/** Takes pictures of the monitor's page, while consumers work, into a folder. */
export async function takePageImages(folder: string): Promise<void> {
  const browser = findBrowser();
  if ("missing" in browser) throw new Error(browser.missing);
  await using workspace = await createWorkspace();
  const places = ["--store", "sqlite:positions.db", "--log", "local:topics.db"];
  await using log = await openLocalLog({ file: join(workspace.folder, "topics.db") });
  await log.admin.createTopic("orders", { partitions: 4, consumerTtl: 86_400_000 });
  await log.admin.createTopic("payments", { partitions: 12, consumerTtl: 86_400_000 });
  const consume = (topic: string, name: string): ReturnType<typeof workspace.start> =>
    workspace.start(["consume", topic, "-c", name, "--all", "--flush", "500", ...places]);
  const billing = consume("orders", "billing");
  for (const name of ["invoices", "mailer", "search"]) consume("orders", name);
  consume("payments", "fraud-check");
  const { url } = await startMonitorCommand(workspace, ["--interval", "2s", ...places]);
  for (let elapsedMs = 0; elapsedMs < WORK_MS; elapsedMs += STEP_MS) {
    if (elapsedMs >= WORK_MS * BILLING_ENDS_AT) billing.kill("SIGINT");
    // More at noon than in the morning.
    const count = Math.round(8 + 6 * Math.sin((elapsedMs / WORK_MS) * 5));
    const values = Array.from({ length: count }, () => ({ value: Buffer.from("1") }));
    for (let partition = 0; partition < 4; partition += 1) await log.producer.produce("orders", partition, values);
    await log.producer.produce("payments", elapsedMs % 12, values);
    await pause(STEP_MS);
  }
  const chromium = await launchBrowser(browser.path);
  for (const [name, view] of Object.entries(VIEWS)) {
    const page = await (await chromium.newContext(view)).newPage();
    await page.goto(url);
    await page.locator("summary").first().click();
    await page.locator(".uplot canvas").waitFor();
    await page.locator(".scroll tbody tr").nth(3).waitFor();
    await page.screenshot({ path: join(folder, `${name}.png`) });
  }
  await chromium.close();
}
