import { inspect, parseArgs } from "node:util";
import { type CaseRunner, startCaseRunner } from "./case-runner.ts";
import { allCases, chooseCases, type NamedCase } from "./choose-cases.ts";
import { Failed, Unusable } from "./failure.ts";
import { type CaseResult, type ConformanceReport, formatReport, reportOf } from "./report.ts";
import { STOP_SIGNALS } from "./stop-signals.ts";
import { visibleText } from "./visible-text.ts";

/** Twice what the slowest case takes on a slow machine. */
const DEFAULT_TIMEOUT_MS = 60_000;
/** What Node's timers can wait. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

const HELP = `Usage: tidemark-conformance [options] <module>

Tests a store of your own against the contract, and reports which clauses it satisfies.

  <module>             a file or a package that exports storeHarness, for example ./my-store.js

  --case <name>        run only these cases, may repeat: an id, a theme like race, a clause like 3.5 or 3.5b
  --timeout <ms>       the time limit of one case (default: ${DEFAULT_TIMEOUT_MS})
  --json               print the report as JSON
  --verbose            also print where an error comes from
  -h, --help           show this help

Examples:
  $ tidemark-conformance ./my-store.js
  $ tidemark-conformance ./my-store.js --case race --case fence/superseded
  $ tidemark-conformance tidemark-store-foo/harness.js --json > report.json

The module exports how a store is opened for the tests, the same object that testOffsetStore of
@tidemark/core/conformance takes:

  export const storeHarness = {
    name: "my store",
    connection: "remote",                       // or "embedded": nothing lies between it and its data
    async open({ namespace, timeout }) {        // called for every case, with a namespace of its own
      const store = await openMyStore({ namespace, timeout });
      return { store, close: () => store.close(), reopen, peek, corrupt, interrupt, silence, loseAnswers, beginTransaction };
    },
  };

Which of the last seven it needs follows from what the store says of itself; a case that misses one says so. With makeUnreadable
and makeUnavailable the backend itself fails, for one key or as a whole; the report says what is not tried without them. Cases
of section 4 ask the driver that createOffsetStore made the store from, if it did, and name the verb that is wrong. A store that
keeps its data is opened in a second process too, which imports the module for itself: what both share, a folder perhaps, they
find in the environment.
Where the store is known to break the contract, and why: export const knownDeviations = { "fence/reset": "..." }.
docs/writing-a-store.md leads through all of it.

Exit codes: 0 it keeps the contract, 1 a case failed, 2 there was nothing to test.
`;

/** How the process ends: `0` the store keeps the contract, `1` it does not, `2` there was nothing to test. */
type ExitCode = 0 | 1 | 2;

interface Arguments {
  readonly specifier: string;
  readonly cases: readonly NamedCase[];
  readonly timeout: number;
  readonly json: boolean;
  readonly verbose: boolean;
}

/**
 * `tidemark-conformance MODULE`: runs the kit on this process's standard streams.
 *
 * @param args - The arguments after the command's name.
 */
export async function runConformance(args: readonly string[]): Promise<ExitCode> {
  try {
    const given = argumentsOf(args);
    if (given === undefined) await print(HELP);
    else await test(given);
    return 0;
  } catch (error) {
    say(`tidemark-conformance: ${oneLine(error instanceof Error ? error.message : String(error))}`);
    if (error instanceof Unusable) return 2;
    if (!(error instanceof Failed)) say(inspect(error));
    return 1;
  }
}

/** `undefined`: help is asked for. */
function argumentsOf(args: readonly string[]): Arguments | undefined {
  const { values, positionals } = parsed(args);
  if (values.help === true) return undefined;
  const [specifier, ...others] = positionals;
  if (specifier === undefined || others.length > 0) {
    throw new Unusable("name one module that exports storeHarness, for example ./my-store.js; see --help");
  }
  const timeout = values.timeout === undefined ? DEFAULT_TIMEOUT_MS : Number(values.timeout);
  if (!Number.isInteger(timeout) || timeout < 1 || timeout > LONGEST_TIMEOUT_MS) {
    throw new Unusable(`--timeout must be a whole number of milliseconds from 1 to ${LONGEST_TIMEOUT_MS}`);
  }
  const { json = false, verbose = false } = values;
  return { specifier, cases: chooseCases(values.case), timeout, json, verbose };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        case: { type: "string", multiple: true },
        timeout: { type: "string" },
        json: { type: "boolean" },
        verbose: { type: "boolean" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new Unusable(`${error.message}; see --help`, { cause: error });
  }
}

async function test({ specifier, cases: chosen, timeout, json, verbose }: Arguments): Promise<void> {
  const stopped = Promise.withResolvers<undefined>();
  const stop = (): void => stopped.resolve(undefined);
  // A second signal ends the process at once, as signals do.
  for (const signal of STOP_SIGNALS) process.once(signal, stop);
  let runner: CaseRunner | undefined;
  try {
    runner = await startCaseRunner({ folder: process.cwd(), specifier, timeout, verbose });
    const { name, knownDeviations } = runner;
    refuseUnknown(knownDeviations, allCases);
    const opened = await Promise.race([tryOpen(runner), stopped.promise]);
    const cases = chosen.filter(({ isOfDriver }) => opened?.hasDriver !== false || !isOfDriver);
    if (cases.length === 0) {
      throw new Unusable("there is no driver to test: the store does not come from createOffsetStore");
    }
    const results = opened === undefined ? [] : await runAll(runner, cases, stopped.promise);
    const report: ConformanceReport = reportOf(name, results, opened?.hasDriver === true);
    await print(json ? `${JSON.stringify(report, undefined, 2)}\n` : formatReport(report));
    if (results.length < cases.length) throw new Failed(`stopped after ${results.length} of ${cases.length} cases`);
    if (report.failed > 0) throw new Failed(`${name} violates the contract`);
  } finally {
    await runner?.stop();
    for (const signal of STOP_SIGNALS) process.off(signal, stop);
  }
}

/** @throws Failed if no store could be opened and closed. */
async function tryOpen(runner: CaseRunner): Promise<{ readonly hasDriver: boolean }> {
  const { message, hasDriver } = await runner.tryOpen();
  if (message === undefined) return { hasDriver };
  throw new Failed(`no case could run: opening a store, and closing it, failed: ${message}`);
}
function refuseUnknown(deviations: Readonly<Record<string, string>>, cases: readonly NamedCase[]): void {
  for (const id of Object.keys(deviations)) {
    if (!cases.some((each) => each.id === id)) {
      throw new Unusable(`knownDeviations names ${JSON.stringify(id)}, which is not a case`);
    }
  }
}

/** Runs the cases one by one until they are done, or until `stopped` resolves. */
async function runAll(
  runner: CaseRunner,
  cases: readonly NamedCase[],
  stopped: Promise<undefined>,
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = [];
  for (const { id, clause, title } of cases) {
    showProgress(`${results.length + 1} of ${cases.length}: ${id}`);
    const startedAt = performance.now();
    const ended = await Promise.race([runner.run(id), stopped]);
    if (ended === undefined) break;
    const judged = judge(ended, runner.knownDeviations[id]);
    const milliseconds = Math.round(performance.now() - startedAt);
    results.push({ id, clause, title, ...judged, milliseconds });
    if (judged.status === "failed") tellAtOnce(`failed: ${clause} ${id}`);
  }
  showProgress("");
  return results;
}

function judge(
  { message, untried }: Awaited<ReturnType<CaseRunner["run"]>>,
  reason: string | undefined,
): Pick<CaseResult, "status" | "message" | "reason"> {
  if (reason === undefined) {
    if (message !== undefined) return { status: "failed", message };
    return untried ?? { status: "passed" };
  }
  if (message !== undefined) return { status: "deviates", message, reason };
  if (untried !== undefined) return untried;
  return { status: "failed", message: "it passes: remove it from knownDeviations", reason };
}

/** On a terminal: one line that is written over. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

/** On a terminal: a line that stays, so that a failure is seen before the end. */
function tellAtOnce(line: string): void {
  if (!process.stderr.isTTY) return;
  showProgress("");
  say(line);
}

function say(line: string): void {
  process.stderr.write(`${visibleText(line)}\n`);
}

/** Resolves when the text is handed over to the system. A reader that has seen enough (`| head`) is no failure. */
async function print(text: string): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    process.stdout.once("error", () => {});
    process.stdout.write(text, (error) =>
      error === null || error === undefined || ("code" in error && error.code === "EPIPE") ? resolve() : reject(error),
    );
  });
}

function oneLine(text: string): string {
  return text.trim().replaceAll(/\s*[\r\n]+\s*/g, " ");
}
