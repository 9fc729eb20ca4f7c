export { storeConformanceCases } from "./store/cases/index.ts";
export type { ConformanceCase } from "./store/conformance-case.ts";
export type { ConformanceContext } from "./store/conformance-context.ts";
export type { OpenedStore, OpenStoreOptions, OpenTransaction, StoreHarness } from "./store/store-harness.ts";
export {
  type ConformanceRunner,
  runStoreCase,
  testOffsetStore,
  type TestOffsetStoreOptions,
} from "./store/test-offset-store.ts";
export { offsetResetPolicyCases, type OffsetResetPolicyCase } from "./policy/cases.ts";
export { type OffsetResetPolicyTestSubject, testOffsetResetPolicy } from "./policy/test-offset-reset-policy.ts";
export { sourceConformanceCases } from "./source/cases/index.ts";
export type { SourceConformanceCase } from "./source/source-case.ts";
export type { OpenedSource, SourceAbility, SourceHarness } from "./source/source-harness.ts";
export { runSourceCase, testLogSource } from "./source/test-log-source.ts";
