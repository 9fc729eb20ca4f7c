import type { OpenedPlace, Place } from "../places/place.ts";
import type { FaultKind } from "../round-plan.ts";

/** One kind of store with all that belongs to it, for the length of a campaign. */
export interface Arena extends AsyncDisposable {
  /** What the store runs on, for the tables. */
  readonly version: string;
  /** Where the positions are, for processes; their way there can be disturbed. `undefined`: there can be no processes. */
  place(transactional: boolean): Place | undefined;
  /** Opens the store on a way that is not disturbed. */
  open(transactional: boolean): Promise<OpenedPlace>;
  /** Begins to disturb. Gives what ends it. */
  disturb(kind: FaultKind): Promise<() => Promise<void>>;
}
