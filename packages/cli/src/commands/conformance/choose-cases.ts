import type { ConformanceCase } from "@tidemark/core/conformance";
import { UsageError } from "../../failure/usage-error.ts";

/**
 * Picks cases: by id (`fence/superseded`), by theme (`race`), or by clause (`3.5b`, or `3.5` for all of its clauses). None
 * named means all.
 *
 * @throws UsageError if a name is that of no case.
 */
export function chooseCases(
  cases: readonly ConformanceCase[],
  names: readonly string[] | undefined,
): readonly ConformanceCase[] {
  if (names === undefined) return cases;
  for (const name of names) {
    if (cases.some((each) => isNamed(each, name))) continue;
    const themes = [...new Set(cases.map(({ id }) => themeOf(id)))].join(", ");
    throw new UsageError(
      `there is no case ${JSON.stringify(name)}: name an id like fence/superseded, a clause like 3.5b, or a theme: ${themes}`,
    );
  }
  return cases.filter((each) => names.some((name) => isNamed(each, name)));
}

function isNamed({ id, clause }: ConformanceCase, name: string): boolean {
  return id === name || themeOf(id) === name || clause === name || sectionOf(clause) === name;
}

function themeOf(id: string): string {
  return id.slice(0, id.indexOf("/"));
}

/** The number of a clause without its letter: `3.5` of `3.5b`. */
export function sectionOf(clause: string): string {
  return clause.replace(/[a-z]$/, "");
}
