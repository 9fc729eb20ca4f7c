import { driverConformanceCases } from "../driver/cases/index.ts";
import { storeConformanceCases } from "../store/cases/index.ts";
import { Unusable } from "./failure.ts";

/** What the command needs of a case. */
export interface NamedCase {
  readonly id: string;
  readonly clause: string;
  readonly title: string;
  /** Whether it asks the driver, and not the store. */
  readonly isOfDriver: boolean;
}

/** All cases, the driver's first: a fault of the driver shows there most plainly. */
export const allCases: readonly NamedCase[] = [
  ...driverConformanceCases.map(({ id, clause, title }) => ({ id, clause, title, isOfDriver: true })),
  ...storeConformanceCases.map(({ id, clause, title }) => ({ id, clause, title, isOfDriver: false })),
];

/**
 * Picks cases: by id (`fence/superseded`), by theme (`race`), or by clause (`3.5b`, or `3.5` for all of its clauses). None
 * named means all.
 *
 * @throws Unusable if a name is that of no case.
 */
export function chooseCases(names: readonly string[] | undefined): readonly NamedCase[] {
  if (names === undefined) return allCases;
  for (const name of names) {
    if (allCases.some((each) => isNamed(each, name))) continue;
    const themes = [...new Set(allCases.map(({ id }) => themeOf(id)))].join(", ");
    throw new Unusable(
      `there is no case ${JSON.stringify(name)}: name an id like fence/superseded, a clause like 3.5b, or a theme: ${themes}`,
    );
  }
  return allCases.filter((each) => names.some((name) => isNamed(each, name)));
}

function isNamed({ id, clause }: NamedCase, name: string): boolean {
  return id === name || themeOf(id) === name || clause === name || sectionOf(clause) === name;
}

function themeOf(id: string): string {
  return id.slice(0, id.indexOf("/"));
}

/** The number of a clause without its letter: `3.5` of `3.5b`. */
export function sectionOf(clause: string): string {
  return clause.replace(/[a-z]$/, "");
}
