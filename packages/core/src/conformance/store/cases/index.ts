import type { ConformanceCase } from "../conformance-case.ts";
import { batchCases } from "./batch.ts";
import { claimCases } from "./claim.ts";
import { clockCases } from "./clock.ts";
import { commitCases } from "./commit.ts";
import { conditionalResetCases } from "./conditional-reset.ts";
import { costCases } from "./cost.ts";
import { deleteCases } from "./delete.ts";
import { epochCases } from "./epoch.ts";
import { errorCases } from "./error.ts";
import { expiryStepCases } from "./expiry-steps.ts";
import { expiryCases } from "./expiry.ts";
import { failureCases } from "./failure.ts";
import { fenceCases } from "./fence.ts";
import { historyCases } from "./history.ts";
import { int64Cases } from "./int64.ts";
import { largeListingCases } from "./large-listing.ts";
import { lateCreateCases } from "./late-creates.ts";
import { lifecycleCases } from "./lifecycle.ts";
import { listCases } from "./list.ts";
import { memberCases } from "./member.ts";
import { modelCases } from "./model.ts";
import { namesCases } from "./names.ts";
import { outageCases } from "./outage.ts";
import { positionRefusalCases } from "./position-refusals.ts";
import { positionCases } from "./position.ts";
import { raceCases } from "./race.ts";
import { recreateCases } from "./recreate.ts";
import { releaseCases } from "./release.ts";
import { resetCases } from "./reset.ts";
import { rewindCases } from "./rewind.ts";
import { sweepCases } from "./sweep.ts";
import { transactCases } from "./transact.ts";
import { transactionRefusalCases } from "./transaction-refusals.ts";
import { transactionCases } from "./transaction.ts";
import { ttlCases } from "./ttl.ts";
import { twoProcessCases } from "./two-processes.ts";
import { wholeBatchCases } from "./whole-batch.ts";

/** Everything that a store must do: one case per sentence of the contract's sections 3 and 8. */
export const storeConformanceCases: readonly ConformanceCase[] = [
  ...claimCases,
  ...commitCases,
  ...fenceCases,
  ...epochCases,
  ...rewindCases,
  ...releaseCases,
  ...positionCases,
  ...positionRefusalCases,
  ...recreateCases,
  ...lateCreateCases,
  ...resetCases,
  ...conditionalResetCases,
  ...expiryCases,
  ...expiryStepCases,
  ...ttlCases,
  ...clockCases,
  ...sweepCases,
  ...namesCases,
  ...int64Cases,
  ...listCases,
  ...largeListingCases,
  ...deleteCases,
  ...failureCases,
  ...outageCases,
  ...errorCases,
  ...lifecycleCases,
  ...raceCases,
  ...twoProcessCases,
  ...costCases,
  ...batchCases,
  ...wholeBatchCases,
  ...historyCases,
  ...transactionCases,
  ...transactionRefusalCases,
  ...transactCases,
  ...memberCases,
  ...modelCases,
];
