export { createOffsetStore } from "./create-offset-store.ts";
export { backoffMs, delay } from "./deadline.ts";
export { byTopic, type TopicGroup } from "./by-topic.ts";
export { classifyConnectionError, type ConnectionFault, connectionFaultOf } from "./connection-errors.ts";
export {
  type Change,
  type ChangeAnswer,
  type DriverContext,
  type DriverFailure,
  type DriverKey,
  type ErrorClassification,
  type ListFilter,
  type ListPage,
  type OffsetStoreDriver,
  type OwnTransaction,
  type ReadAnswer,
  type ReadEntry,
  type StoredEntry,
  type UnreadableEntry,
  UnreadableRecordError,
  type WriteAnswer,
  type WriteContext,
} from "./driver.ts";
export type { MemberKey } from "../member.ts";
export { KeyMap } from "./key-map.ts";
export { openDriver, type OpeningOptions } from "./open-driver.ts";
export { Pace } from "./pace.ts";
export { escapeName, unescapeName } from "./escaped-names.ts";
export {
  validateFetchRequest,
  validateListOffsets,
  validateRecords,
  validateTopic,
  validateTopicAlteration,
  validateTopicConfig,
} from "./log-source-validation.ts";
export { MAX_ACKNOWLEDGED_BYTES } from "./entry-validation.ts";
export {
  MAX_METADATA_BYTES,
  MAX_NAME_BYTES,
  MAX_OFFSET,
  MAX_PARTITION,
  MAX_TTL_MS,
  validateCallOptions,
  validateFields,
  validateKnownOptions,
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
  resolveLogUrlOptions,
  resolveStoreOptions,
  validateLogOptionNames,
  validateOptionNames,
  warnOfStore,
} from "./store-options.ts";
