import type { OpenedSource, SourceAbility } from "./source-harness.ts";

/** One thing that every log must do, as data. */
export interface SourceConformanceCase {
  /** Stable, for bug reports: `theme/what-happens`. */
  readonly id: string;
  /** The clause of the contract for sources that the case proves, for example `"7.3"`. */
  readonly clause: string;
  /** A sentence that is true of a log that keeps the contract. */
  readonly title: string;
  /** What the log must be able to do for the case to be run. Absent: what every log can. */
  readonly needs?: readonly SourceAbility[];
  /** Resolves if the log keeps it; otherwise rejects with an `AssertionError` that says what was seen. */
  run(opened: OpenedSource): Promise<void>;
}
