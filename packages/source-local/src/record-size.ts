/**
 * What a record counts beside its key, its value and its headers, in a fetch's `maxBytes` and a topic's `retentionBytes`:
 * about what its row takes, so that records without a value do not count as nothing.
 */
export const RECORD_OVERHEAD_BYTES = 16;
