import type { Browser } from "playwright-core";
import { serversAreRequired } from "@tidemark/test-support/servers";
import { findBrowser, launchBrowser } from "./browser.ts";

/**
 * Declares tests that need a browser, which they start with what they get. Where there is none they are skipped, and the run
 * says so in one line; in CI that is a failure.
 */
export async function describeWithBrowser(define: (launch: () => Promise<Browser>) => void): Promise<void> {
  const { describe, it } = await import("vitest");
  const browser = findBrowser();
  if ("path" in browser) {
    describe("the site", () => define(() => launchBrowser(browser.path)));
  } else if (serversAreRequired()) {
    it("needs a browser", () => {
      throw new Error(browser.missing);
    });
  } else {
    process.stderr.write(`${browser.missing}\n`);
    describe.skip(browser.missing, () => it("needs a browser", () => undefined));
  }
}
