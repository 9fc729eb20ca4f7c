import type { DriverConformanceCase } from "../driver-case.ts";
import { batchCases } from "./batches.ts";
import { conditionCases } from "./conditions.ts";
import { connectionCases } from "./connection.ts";
import { keyCases } from "./keys.ts";
import { listingCases } from "./listing.ts";
import { ownTransactionCases } from "./own-transactions.ts";
import { raceCases } from "./races.ts";
import { reclaimCases } from "./reclaim.ts";
import { stampCases } from "./stamps.ts";
import { throughCoreCases } from "./through-core.ts";
import { unreadableCases } from "./unreadable.ts";

/** Everything that a driver must do, beside what a store does with it. */
export const driverConformanceCases: readonly DriverConformanceCase[] = [
  ...conditionCases,
  ...batchCases,
  ...raceCases,
  ...stampCases,
  ...reclaimCases,
  ...keyCases,
  ...listingCases,
  ...unreadableCases,
  ...connectionCases,
  ...throughCoreCases,
  ...ownTransactionCases,
];
