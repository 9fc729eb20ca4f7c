import type { Command } from "commander";
import { contextOf } from "../../context/command-context.ts";
import { say } from "../../context/standard-streams.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { oneLine } from "../../failure/report-failure.ts";
import { UsageError } from "../../failure/usage-error.ts";
import { stopOnSignals } from "../consume/stop-on-signals.ts";
import { examples } from "../examples.ts";
import { collectText, parseMilliseconds } from "../option-values.ts";
import type { CaseRunner } from "./case-runner.ts";
import type { NamedCase } from "./choose-cases.ts";
import type { CaseResult } from "./report.ts";

/** Twice what the slowest case takes on a slow machine. */
const DEFAULT_TIMEOUT_MS = 60_000;

interface ConformanceOptions {
  readonly case?: readonly string[];
  readonly timeout: number;
}

const MODULE_HELP = `
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

Which of the last seven it needs follows from what the store says of itself; a case that misses one tells. With makeUnreadable
and makeUnavailable the backend itself fails, for one key or as a whole; the report tells what is not tried without. Cases of section 4
ask the driver that createOffsetStore made the store from, if it did, and name the verb that is wrong. A store that keeps its
data is opened in a second process too, which imports the module for itself: what both share, a folder perhaps, they find in
the environment.
Where the store is known to break the contract, and why: export const knownDeviations = { "fence/reset": "..." }.
docs/writing-a-store.md leads through all of it.

Exit codes: 0 it keeps the contract, 1 a case failed, 2 there was nothing to test.`;

/** `tidemark conformance MODULE`. */
export function addConformanceCommand(program: Command): void {
  program
    .command("conformance")
    .description("Test a store of your own against the contract, and report which clauses it keeps.")
    .argument("<module>", "a file or a package that exports storeHarness, for example ./my-store.js")
    .option("--case <name>", "only these, may repeat: an id, a theme like race, a clause like 3.5 or 3.5b", collectText)
    .option("--timeout <duration>", "how long one case may take", parseMilliseconds, DEFAULT_TIMEOUT_MS)
    .addHelpText(
      "after",
      `${examples(
        "conformance ./my-store.js",
        "conformance ./my-store.js --case race --case fence/superseded",
        "conformance tidemark-store-foo/harness.js -O json > report.json",
      )}\n${MODULE_HELP}`,
    )
    .action(async (specifier: string, options: ConformanceOptions, command: Command) => {
      const context = await contextOf(command);
      const { allCases, chooseCases } = await import("./choose-cases.ts");
      const { formatReport, reportOf } = await import("./report.ts");
      const { startCaseRunner } = await import("./case-runner.ts");
      const { UnusableModule } = await import("./harness-module.ts");
      const chosen = chooseCases(options.case);
      const { timeout } = options;
      if (timeout < 1) throw new UsageError("--timeout must be longer than 0");
      const stopped = Promise.withResolvers<undefined>();
      const signals = stopOnSignals(() => stopped.resolve(undefined));
      let runner: CaseRunner | undefined;
      try {
        const { verbose } = context.settings;
        runner = await startCaseRunner({ folder: process.cwd(), specifier, timeout, verbose });
        const { name, knownDeviations } = runner;
        refuseUnknown(knownDeviations, allCases);
        const opened = await Promise.race([tryOpen(runner), stopped.promise]);
        const cases = chosen.filter(({ isOfDriver }) => opened?.hasDriver !== false || !isOfDriver);
        if (cases.length === 0) {
          throw new UsageError("there is no driver to test: the store does not come from createOffsetStore");
        }
        const results = opened === undefined ? [] : await runAll(runner, cases, stopped.promise);
        const report = reportOf(name, results, opened?.hasDriver === true);
        await context.print(report, () => formatReport(report));
        if (results.length < cases.length) {
          throw new CommandFailure(`stopped after ${results.length} of ${cases.length} cases`);
        }
        if (report.failed > 0) throw new CommandFailure(`${name} does not keep the contract`);
      } catch (error) {
        if (error instanceof UnusableModule) throw new UsageError(oneLine(error.message), { cause: error });
        throw error;
      } finally {
        await runner?.stop();
        signals.release();
      }
    });
}

/** @throws CommandFailure if no store could be opened and closed. */
async function tryOpen(runner: CaseRunner): Promise<{ readonly hasDriver: boolean }> {
  const { message, hasDriver } = await runner.tryOpen();
  if (message === undefined) return { hasDriver };
  throw new CommandFailure(`no case could run: opening a store, and closing it, failed: ${oneLine(message)}`);
}

function refuseUnknown(deviations: Readonly<Record<string, string>>, cases: readonly NamedCase[]): void {
  for (const id of Object.keys(deviations)) {
    if (!cases.some((each) => each.id === id)) {
      throw new UsageError(`knownDeviations names ${JSON.stringify(id)}, which is no case`);
    }
  }
}

/** Runs the cases one by one until they are done, or somebody wants it to stop. */
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
  return { status: "failed", message: "it passes: remove it from knownDeviations", reason };
}

/** On a terminal: one line that is written over. */
function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`);
}

/** On a terminal: a line that stays, so that nobody waits for the end to learn of a failure. */
function tellAtOnce(line: string): void {
  if (!process.stderr.isTTY) return;
  showProgress("");
  say(line);
}
