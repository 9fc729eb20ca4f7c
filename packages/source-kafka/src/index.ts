export { type KafkaLog, type KafkaLogOptions, openKafkaLog } from "./kafka-log.ts";
export { logUrl } from "./log-url.ts";
