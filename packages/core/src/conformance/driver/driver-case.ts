import type { DriverConformanceContext } from "./driver-context.ts";

/** What a case is about: a verb, or the other member that a driver has. */
export type DriverVerb = "read" | "write" | "list" | "begin" | "classify" | "close" | "capabilities";

/** One thing that every driver must do, as data. */
export interface DriverConformanceCase {
  /** Stable, for bug reports: `driver/what-happens`. */
  readonly id: string;
  /** The clause of `docs/contract.md` that the case proves, for example `"4.2a"`. */
  readonly clause: string;
  /** The verb that the case is about. A failure names the one that is wrong: it may be one that the case looks with. */
  readonly verb: DriverVerb;
  /** A sentence that is true of a driver that does what it must. */
  readonly title: string;
  /** Resolves if the driver does it; otherwise rejects with an `AssertionError` that names a verb and what was seen. */
  run(context: DriverConformanceContext): Promise<void>;
}
