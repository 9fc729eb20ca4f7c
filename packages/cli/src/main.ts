import { everythingSaid, say } from "./context/standard-streams.ts";
import { hideExperimentalWarnings } from "./experimental-warnings.ts";
import { reportFailure } from "./failure/report-failure.ts";
import { isVerbose, runTidemark } from "./run-tidemark.ts";

hideExperimentalWarnings();
const args = process.argv.slice(2);
// A client that throws outside of any call, in the middle of reading from a socket for one, is a failure like others.
process.on("uncaughtException", (error) => {
  process.exit(reportFailure(error, say, isVerbose(args)));
});
const exitCode = await runTidemark(args);
await everythingSaid();
// A write to a reader that has stopped reading, or a terminal that standard input still waits for, must not keep the
// process: all that it had to do is done.
process.exit(exitCode);
