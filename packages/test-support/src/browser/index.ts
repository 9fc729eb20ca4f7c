export { describeWithBrowser } from "./describe-with-browser.ts";
