import {
  createPartitionsV3,
  createTopicsV5,
  createTopicsV6,
  createTopicsV7,
  deleteRecordsV2,
  deleteTopicsV6,
  describeConfigsV4,
  incrementalAlterConfigsV1,
  initProducerIdV4,
  listOffsetsV6,
  listOffsetsV7,
  listOffsetsV8,
  listOffsetsV9,
  metadataV11,
  metadataV12,
  produceV10,
  produceV11,
  produceV9,
} from "@platformatic/kafka";

// The requests that we send, each in the versions that are written alike, the newest first. Every broker since Kafka 3.0
// knows one of each.

export const METADATA = [metadataV12.api, metadataV11.api] as const;
export const LIST_OFFSETS = [listOffsetsV9.api, listOffsetsV8.api, listOffsetsV7.api, listOffsetsV6.api] as const;
export const PRODUCE = [produceV11.api, produceV10.api, produceV9.api] as const;
export const INIT_PRODUCER_ID = [initProducerIdV4.api] as const;
export const CREATE_TOPICS = [createTopicsV7.api, createTopicsV6.api, createTopicsV5.api] as const;
export const DELETE_TOPICS = [deleteTopicsV6.api] as const;
export const CREATE_PARTITIONS = [createPartitionsV3.api] as const;
export const DESCRIBE_CONFIGS = [describeConfigsV4.api] as const;
export const ALTER_CONFIGS = [incrementalAlterConfigsV1.api] as const;
export const DELETE_RECORDS = [deleteRecordsV2.api] as const;
