/**
 * What Node is given for a program of the tests in a process of its own. In a run of the tests it uses what that has built, as
 * users do, and starts in half the time; outside of one there may be nothing built, and it uses the sources.
 */
export const PROGRAM_OPTIONS: readonly string[] = [
  ...(process.env["VITEST"] === undefined ? ["--conditions=@tidemark/source"] : []),
  "--disable-warning=ExperimentalWarning",
];
