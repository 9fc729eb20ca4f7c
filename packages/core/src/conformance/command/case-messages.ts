import type { Untried } from "../untried.ts";

/** What the command asks of the process that runs the cases. */
export type CaseRequest =
  /** Opens a store and closes it again, to see what it is. */
  | { readonly type: "try" }
  | { readonly type: "run"; readonly id: string }
  /** Closes all that is open, and ends. */
  | { readonly type: "stop" };

/** What that process answers. */
export type CaseAnswer =
  | { readonly type: "ready"; readonly name: string; readonly knownDeviations: Readonly<Record<string, string>> }
  /** The module is of no use; the process ends. */
  | { readonly type: "unusable"; readonly message: string }
  /** An error was thrown outside any awaited call; the process ends. */
  | { readonly type: "broken"; readonly message: string }
  /**
   * The one request is done; without a message it went well. `untried`: the case had nothing to look at. After `try`: whether
   * the store has a driver to test.
   */
  | { readonly type: "done"; readonly message?: string; readonly untried?: Untried; readonly hasDriver?: boolean };
