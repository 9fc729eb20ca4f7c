export type {
  KafkaCredential,
  KafkaPasswordOptions,
  KafkaSaslOptions,
  KafkaTokenOptions,
} from "./kafka-credentials.ts";
export { type KafkaLog, type KafkaLogOptions, openKafkaLog } from "./kafka-log.ts";
export { logUrl } from "./log-url.ts";
