export { type LocalLog, type LocalLogOptions, openLocalLog } from "./local-log.ts";
export { logUrl } from "./log-url.ts";
