import {
  type API,
  apiVersionsV0,
  apiVersionsV3,
  createPartitionsV0,
  createPartitionsV1,
  createPartitionsV3,
  createTopicsV2,
  createTopicsV4,
  createTopicsV5,
  createTopicsV6,
  createTopicsV7,
  deleteRecordsV0,
  deleteRecordsV1,
  deleteRecordsV2,
  deleteTopicsV1,
  deleteTopicsV3,
  deleteTopicsV6,
  describeConfigsV1,
  describeConfigsV2,
  describeConfigsV4,
  incrementalAlterConfigsV0,
  incrementalAlterConfigsV1,
  initProducerIdV0,
  initProducerIdV1,
  initProducerIdV4,
  listOffsetsV1,
  listOffsetsV2,
  listOffsetsV4,
  listOffsetsV6,
  listOffsetsV7,
  listOffsetsV8,
  listOffsetsV9,
  metadataV10,
  metadataV11,
  metadataV12,
  metadataV4,
  metadataV7,
  produceV10,
  produceV11,
  produceV3,
  produceV7,
  produceV9,
} from "@platformatic/kafka";

// The requests that we send, the newest version first. What an older one cannot say or ask is left out of it: topics have ids
// since Metadata 10 and leaders epochs since 7, positions epochs since ListOffsets 4 and isolation since 2. Brokers since Kafka
// 1.0 know one of each, and what else speaks the protocol, as a rule.

export const API_VERSIONS = apiVersionsV3.api;
/** Before Kafka 2.4. */
export const OLDEST_API_VERSIONS = apiVersionsV0.api;
export const METADATA = [metadataV12.api, metadataV11.api, metadataV10.api, metadataV7.api, metadataV4.api] as const;
export const LIST_OFFSETS = [
  listOffsetsV9.api,
  listOffsetsV8.api,
  listOffsetsV7.api,
  listOffsetsV6.api,
  listOffsetsV4.api,
  listOffsetsV2.api,
  listOffsetsV1.api,
] as const;
export const PRODUCE = [produceV11.api, produceV10.api, produceV9.api, produceV7.api, produceV3.api] as const;
export const INIT_PRODUCER_ID = [initProducerIdV4.api, initProducerIdV1.api, initProducerIdV0.api] as const;
export const CREATE_TOPICS = [
  createTopicsV7.api,
  createTopicsV6.api,
  createTopicsV5.api,
  createTopicsV4.api,
  createTopicsV2.api,
] as const;
export const DELETE_TOPICS = [deleteTopicsV6.api, deleteTopicsV3.api, deleteTopicsV1.api] as const;
export const CREATE_PARTITIONS: readonly API<
  createPartitionsV3.CreatePartitionsRequest,
  createPartitionsV3.CreatePartitionsResponse
>[] = [createPartitionsV3.api, createPartitionsV1.api, createPartitionsV0.api];
export const DESCRIBE_CONFIGS = [describeConfigsV4.api, describeConfigsV2.api, describeConfigsV1.api] as const;
export const ALTER_CONFIGS: readonly API<
  incrementalAlterConfigsV0.IncrementalAlterConfigsRequest,
  incrementalAlterConfigsV0.IncrementalAlterConfigsResponse
>[] = [
  // Written alike: its type alone is narrower.
  incrementalAlterConfigsV1.api as unknown as typeof incrementalAlterConfigsV0.api,
  incrementalAlterConfigsV0.api,
];
export const DELETE_RECORDS = [deleteRecordsV2.api, deleteRecordsV1.api, deleteRecordsV0.api] as const;
