import type { Untried } from "../untried.ts";
import { sectionOf } from "./choose-cases.ts";
import { contractSections } from "./contract-sections.ts";
import { visibleText } from "./visible-text.ts";

/** What came of one case. */
export interface CaseResult {
  readonly id: string;
  /** The clause of the contract that it proves. */
  readonly clause: string;
  readonly title: string;
  /**
   * `deviates`: it fails, and the module says so in `knownDeviations`. `not-promised`: the store says that it does not do what the
   * case is about. `not-tried`: the harness lacks what the case needs.
   */
  readonly status: "passed" | "failed" | "deviates" | Untried["status"];
  /** What the case found wrong; over several lines. */
  readonly message?: string;
  /** Why the store is known to deviate; what it does not promise; what the harness lacks. */
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
  readonly notPromised: number;
  readonly notTried: number;
  /** Whether the store comes from `createOffsetStore`, so that its driver could be tested. */
  readonly hasDriver: boolean;
  readonly cases: readonly CaseResult[];
}

/** Sums up. */
export function reportOf(store: string, cases: readonly CaseResult[], hasDriver: boolean): ConformanceReport {
  return { store, ...countsOf(cases), hasDriver, cases };
}

type Counts = Pick<ConformanceReport, "passed" | "failed" | "deviations" | "notPromised" | "notTried">;

function countsOf(cases: readonly CaseResult[]): Counts {
  const count = (wanted: CaseResult["status"]) => cases.filter(({ status }) => status === wanted).length;
  return {
    passed: count("passed"),
    failed: count("failed"),
    deviations: count("deviates"),
    notPromised: count("not-promised"),
    notTried: count("not-tried"),
  };
}

/** The report for people: what failed, a row for each section of the contract, what was not tested and why, and the sum. */
export function formatReport(report: ConformanceReport): string {
  const { store, passed, failed, deviations, notPromised, notTried, hasDriver, cases } = report;
  const sections = Map.groupBy(cases, ({ clause }) => sectionOf(clause));
  const rows = [...sections]
    .toSorted(([one], [other]) => one.localeCompare(other, "en", { numeric: true }))
    .map(([section, results]) => {
      const of = countsOf(results);
      const about = `${section} ${contractSections[section] ?? ""}`.trim();
      return [about, results.length, of.passed, of.failed, of.notPromised + of.notTried].map(String);
    });
  const table = tableOf([["CLAUSE", "CASES", "PASSED", "FAILED", "UNTESTED"], ...rows]);
  const notes = cases.flatMap((result) => noteOf(result) ?? []);
  const sum = failed === 0 ? `${passed} of ${cases.length} passed` : `${failed} of ${cases.length} failed`;
  const without = [
    ...(notPromised === 0 ? [] : [`, ${notPromised} not promised`]),
    ...(notTried === 0 ? [] : [`, ${notTried} not tried`]),
  ].join("");
  const known = deviations === 0 ? "" : `, ${deviations} known ${deviations === 1 ? "deviation" : "deviations"}`;
  const untested = hasDriver ? "" : "; the store does not come from createOffsetStore, so there was no driver to test";
  const why = [
    ...reasonsOf(cases, "not-promised", "Not tested, because the store does not promise it"),
    ...reasonsOf(cases, "not-tried", "Not tested, because the harness lacks a member"),
  ];
  return [...notes, table, ...why, `${store}: ${sum}${without}${known}${untested}\n`].join("\n");
}

/** Columns under their headings; each cell is ASCII. */
function tableOf(lines: readonly (readonly string[])[]): string {
  const widths = lines[0]?.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0))) ?? [];
  const aligned = lines.map((line) => line.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("   "));
  return aligned.map((line) => `${line.trimEnd()}\n`).join("");
}

/** What was not tested, in a paragraph of its own: how many cases for each reason. */
function reasonsOf(cases: readonly CaseResult[], of: Untried["status"], what: string): readonly string[] {
  const untried = cases.filter(({ status }) => status === of);
  if (untried.length === 0) return [];
  const reasons = [...Map.groupBy(untried, ({ reason = "" }) => reason)];
  return [`${what}: ${reasons.map(([reason, { length }]) => `${reason} (${length})`).join(", ")}\n`];
}

function noteOf({ id, clause, title, status, message = "", reason }: CaseResult): string | undefined {
  if (status !== "failed" && status !== "deviates") return undefined;
  const known = reason === undefined ? [] : [`  known deviation: ${reason}`];
  const seen = visibleText(message)
    .split("\n")
    .map((line) => `    ${line}`.trimEnd());
  return `${[`${status.toUpperCase()} ${clause} ${id}`, `  ${title}`, ...known, ...seen].join("\n")}\n`;
}
