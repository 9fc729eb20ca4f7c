import type { ConformanceContext } from "./conformance-context.ts";

/** One thing that every store must do, as data. */
export interface ConformanceCase {
  /** Stable, for `knownDeviations` and bug reports: `theme/what-happens`. */
  readonly id: string;
  /** The clause of `docs/contract.md` that the case proves, for example `"3.5b"`. */
  readonly clause: string;
  /** A sentence that is true of a store that keeps the contract. */
  readonly title: string;
  /** Resolves if the store keeps it; otherwise rejects with an `AssertionError` that says what was seen. */
  run(context: ConformanceContext): Promise<void>;
}
