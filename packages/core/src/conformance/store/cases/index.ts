import type { ConformanceCase } from "../conformance-case.ts";
import { claimCases } from "./claim.ts";

/** Everything that a store must do: one case per sentence of the contract's section 3. */
export const storeConformanceCases: readonly ConformanceCase[] = [...claimCases];
