export { describeWithConfluentClient } from "./confluent-client.ts";
export { describeWithProgram } from "./describe-with-program.ts";
export { describeWithServer } from "./describe-with-server.ts";
export { describeWithKafkaTools, type KafkaTools } from "./kafka-tool.ts";
export { kafkaLeadersOf, placeKafkaTopic, untilKafkaIsInSync } from "./kafka-placements.ts";
export { freePorts } from "./free-port.ts";
export { launchOrSkip, sharedOrSkip } from "./launch-or-skip.ts";
export { launchServer } from "./launch-server.ts";
export { PATIENT_KAFKA } from "./patient-kafka.ts";
export { requireServer, serversAreRequired } from "./require-server.ts";
export type {
  MissingServer,
  OwnServer,
  RunningServer,
  S3Access,
  ServerControls,
  ServerName,
  ServerNode,
} from "./server.ts";
export { sharedServer } from "./shared-server.ts";
