export { findBrowser, launchBrowser } from "./browser.ts";
export { describeWithBrowser } from "./describe-with-browser.ts";
