import { everythingSaid } from "./context/standard-streams.ts";
import { hideExperimentalWarnings } from "./experimental-warnings.ts";
import { runTidemark } from "./run-tidemark.ts";

hideExperimentalWarnings();
const exitCode = await runTidemark(process.argv.slice(2));
await everythingSaid();
// A write to a reader that has stopped reading, or a terminal that standard input still waits for, must not keep the
// process: all that it had to do is done.
process.exit(exitCode);
