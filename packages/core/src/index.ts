export {
  CONSUMER_STATE_ERROR_CODES,
  ConsumerStateError,
  type ConsumerStateErrorCode,
} from "./errors/consumer-state-error.ts";
export { OffsetFencedError, type OffsetFencedErrorOptions } from "./errors/offset-fenced-error.ts";
export {
  OffsetOutOfRangeError,
  type OffsetOutOfRangeErrorOptions,
  type OutOfRangeReason,
} from "./errors/offset-out-of-range-error.ts";
export {
  LOG_SOURCE_ERROR_CODES,
  LogSourceError,
  type LogSourceErrorCode,
  type LogSourceErrorOptions,
} from "./errors/log-source-error.ts";
export {
  OFFSET_STORE_ERROR_CODES,
  OffsetStoreError,
  type OffsetStoreErrorCode,
  type OffsetStoreErrorOptions,
  type OffsetStoreOperation,
} from "./errors/offset-store-error.ts";
export { formatKey, type OffsetKey } from "./key.ts";
export * from "./log-source.ts";
export type { OffsetRange, OffsetRecord, ResetOrigin } from "./offset-record.ts";
export { defaultOffsetResetPolicy, type OffsetResetContext, type OffsetResetPolicy } from "./offset-reset-policy.ts";
export type { OffsetStoreEvent, OffsetStoreRetryEvent, OffsetStoreWarningEvent } from "./driver/store-options.ts";
export type * from "./member.ts";
export type * from "./offset-store.ts";
export { resolveOffsetResetPolicy } from "./reset/resolve-offset-reset-policy.ts";
export type { LogUrlOpener, LogUrlOptions, StoreUrlOpener, StoreUrlOptions } from "./url-opener.ts";
export type * from "./consumer/consumer.ts";
export type * from "./diagnostics/messages.ts";
export type * from "./session/offset-session.ts";
export { createConsumer } from "./consumer/create-consumer.ts";
export { type ReadPosition, whereToRead, type WhereToReadOptions } from "./consumer/where-to-read.ts";
export type { LogPoint, OffsetLookup } from "./consumer/log-bounds.ts";
export { openOffsetSession } from "./session/open-offset-session.ts";
