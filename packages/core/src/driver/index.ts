export { createOffsetStore } from "./create-offset-store.ts";
export { backoffMs, delay } from "./deadline.ts";
export type {
  DriverClaimOutcome,
  DriverCommitContext,
  DriverCommitOutcome,
  DriverContext,
  DriverExpireOutcome,
  DriverFailure,
  DriverFetchOutcome,
  DriverListing,
  DriverResetOutcome,
  ErrorClassification,
  OffsetStoreDriver,
} from "./driver.ts";
export { fenced } from "./driver.ts";
export {
  validateFetchRequest,
  validateListOffsets,
  validateRecords,
  validateTopic,
  validateTopicAlteration,
  validateTopicConfig,
} from "./log-source-validation.ts";
export {
  claimTransition,
  type CommitTransition,
  commitTransition,
  expireTransition,
  resetTransition,
  type StoredOffset,
  toOffsetRecord,
  visibleAt,
} from "./transitions.ts";
export {
  MAX_METADATA_BYTES,
  MAX_NAME_BYTES,
  MAX_OFFSET,
  MAX_PARTITION,
  MAX_TTL_MS,
  validateName,
  validateOffset,
  validatePartition,
  validateTimeout,
  validateWholeNumber,
} from "./validation.ts";
export {
  DEFAULT_NAMESPACE,
  type OffsetStoreEvent,
  type OffsetStoreOptions,
  type OffsetStoreRetryEvent,
  type OffsetStoreWarningEvent,
  resolveStoreOptions,
  validateLogOptionNames,
  validateOptionNames,
  warnOfStore,
} from "./store-options.ts";
