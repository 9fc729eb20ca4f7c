export { runTidemark } from "./run-tidemark.ts";
export type { ExitCode } from "./failure/report-failure.ts";
