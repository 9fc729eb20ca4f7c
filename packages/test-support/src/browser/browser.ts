import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { type Browser, chromium } from "playwright-core";

const VARIABLE = "TIDEMARK_TEST_BROWSER_BINARY";
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** A Chromium's path: the one that the environment names, or one on the PATH. Else a line that says how to get it. */
export function findBrowser(): { readonly path: string } | { readonly missing: string } {
  const named = process.env[VARIABLE];
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const candidates = named ? [named] : NAMES.flatMap((name) => folders.map((folder) => join(folder, name)));
  const path = candidates.find(isExecutable);
  if (path !== undefined) return { path };
  const where = named ? `${VARIABLE} names ${named}, which is no program` : `there is no ${NAMES[0]} on the PATH`;
  const remedy = "`npx -y pnpm@12.21.0 servers:install browser` gets one on Debian";
  return { missing: `${where}; ${remedy}` };
}

/** Starts it, with a profile of its own, saying nothing to anybody. */
export function launchBrowser(executablePath: string): Promise<Browser> {
  return chromium.launch({
    executablePath,
    headless: true,
    args: [
      ...["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"],
      ...["--disable-background-networking", "--disable-component-update", "--disable-sync"],
      // A page that asks for more than the test serves is found out, and gets no answer.
      "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    ],
  });
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
