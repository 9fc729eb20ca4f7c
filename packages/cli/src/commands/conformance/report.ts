import { formatTable } from "../../output/table.ts";
import { withoutSecrets } from "../../text/secrets.ts";
import { sectionOf } from "./choose-cases.ts";
import { contractSections } from "./contract-sections.ts";

/** What came of one case. */
export interface CaseResult {
  readonly id: string;
  /** The clause of the contract that it proves. */
  readonly clause: string;
  readonly title: string;
  /** `deviates`: it fails, and the module says so in `knownDeviations`. */
  readonly status: "passed" | "failed" | "deviates";
  /** What the case found wrong; over several lines. */
  readonly message?: string;
  /** Why the store is known to deviate. */
  readonly reason?: string;
  readonly milliseconds: number;
}

/** The report as data. */
export interface ConformanceReport {
  /** The store's name, as its harness says. */
  readonly store: string;
  readonly passed: number;
  readonly failed: number;
  readonly deviations: number;
  /** Whether the store comes from `createOffsetStore`, so that its driver could be tested. */
  readonly hasDriver: boolean;
  readonly cases: readonly CaseResult[];
}

/** Sums up. */
export function reportOf(store: string, cases: readonly CaseResult[], hasDriver: boolean): ConformanceReport {
  return { store, ...countsOf(cases), hasDriver, cases };
}

function countsOf(cases: readonly CaseResult[]): Pick<ConformanceReport, "passed" | "failed" | "deviations"> {
  const count = (wanted: CaseResult["status"]) => cases.filter(({ status }) => status === wanted).length;
  return { passed: count("passed"), failed: count("failed"), deviations: count("deviates") };
}

/** The report for people: what failed, a row for each section of the contract, and the sum. */
export async function formatReport(report: ConformanceReport): Promise<string> {
  const { store, passed, failed, deviations, hasDriver, cases } = report;
  const sections = Map.groupBy(cases, ({ clause }) => sectionOf(clause));
  const rows = [...sections]
    .toSorted(([one], [other]) => one.localeCompare(other, "en", { numeric: true }))
    .map(([section, results]) => {
      const of = countsOf(results);
      return [`${section} ${contractSections[section] ?? ""}`.trim(), results.length, of.passed, of.failed].map(String);
    });
  const table = await formatTable(["CLAUSE", "CASES", "PASSED", "FAILED"], rows);
  const notes = cases.flatMap((result) => noteOf(result) ?? []);
  const sum = failed === 0 ? `${passed} of ${cases.length} passed` : `${failed} of ${cases.length} failed`;
  const known = deviations === 0 ? "" : `, ${deviations} known ${deviations === 1 ? "deviation" : "deviations"}`;
  const untested = hasDriver ? "" : "; the store does not come from createOffsetStore, so there was no driver to test";
  return [...notes, table, `${store}: ${sum}${known}${untested}\n`].join("\n");
}

function noteOf({ id, clause, title, status, message = "", reason }: CaseResult): string | undefined {
  if (status === "passed") return undefined;
  const known = reason === undefined ? [] : [`  known deviation: ${reason}`];
  const seen = withoutSecrets(message)
    .split("\n")
    .map((line) => `    ${line}`.trimEnd());
  return `${[`${status.toUpperCase()} ${clause} ${id}`, `  ${title}`, ...known, ...seen].join("\n")}\n`;
}
