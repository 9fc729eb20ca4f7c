import type { Reporter, TestModule, TestSuite } from "vitest/node";

interface Row {
  readonly store: string;
  readonly server: string;
  passed: number;
  failed: number;
  notRun: number;
  readonly deviations: string[];
}

/** Ends a run with a table of the stores' conformance suites: what each store was tested on, and what came of it. */
export class ConformanceTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = modules.flatMap((module) => [...module.children.allSuites()].flatMap((suite) => rowOf(suite) ?? []));
    if (rows.length > 0) process.stdout.write(`\n${printTable(rows)}\n`);
  }
}

function rowOf(suite: TestSuite): Row | undefined {
  const named = /^(?<store>\S+) store on (?<server>.+) keeps the offset store contract$/u.exec(suite.name)?.groups;
  if (named === undefined) return undefined;
  const row: Row = {
    store: named["store"] ?? "",
    server: named["server"] ?? "",
    passed: 0,
    failed: 0,
    notRun: 0,
    deviations: [],
  };
  for (const test of suite.children.allTests()) {
    const { state } = test.result();
    if (state === "passed") row.passed++;
    else if (state === "failed") row.failed++;
    else row.notRun++;
    // A known deviation passes while the store deviates: it is no pass of the case.
    const known = / (?<id>\S+): .*\(KNOWN DEVIATION: /u.exec(test.name)?.groups?.["id"];
    if (known === undefined) continue;
    row.deviations.push(known);
    if (state === "passed") row.passed--;
  }
  return row;
}

/** Lays the rows out in columns. */
function printTable(rows: readonly Row[]): string {
  const sorted = rows.toSorted((one, other) =>
    `${one.store} ${one.server}`.localeCompare(`${other.store} ${other.server}`),
  );
  const cells = sorted.map((row) => {
    const total = row.passed + row.failed + row.notRun + row.deviations.length;
    const cases = `${row.passed} of ${total}${row.notRun > 0 ? `, ${row.notRun} not run` : ""}`;
    return [row.store, row.server, cases, row.deviations.join(", ") || "none"];
  });
  const table = [["store", "tested on", "cases passed", "known deviations"], ...cells];
  const widths = [0, 1, 2].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
  return table
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
