import type { Browser } from "playwright-core";
import { serversAreRequired } from "../servers/require-server.ts";
import { findBrowser, launchBrowser } from "./browser.ts";

/**
 * Declares tests that need a browser, which they start with what they get. Where there is none they are skipped, and the run
 * says so in one line; in CI that is a failure.
 */
export async function describeWithBrowser(
  what: string,
  define: (launch: () => Promise<Browser>) => void,
): Promise<void> {
  const { describe, it } = await import("vitest");
  const browser = findBrowser();
  if ("path" in browser) {
    describe(what, () => define(() => launchBrowser(browser.path)));
  } else if (serversAreRequired()) {
    it("needs a browser", () => {
      throw new Error(browser.missing);
    });
  } else {
    process.stderr.write(`${what} was not tested: ${browser.missing}\n`);
    describe.skip(`${what}: ${browser.missing}`, () => it("needs a browser", () => undefined));
  }
}
