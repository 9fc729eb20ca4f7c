import type { LogAdmin, LogProducer, LogSource } from "@tidemark/core";
import { openKafkaLog } from "@tidemark/source-kafka";
import { openLocalLog } from "@tidemark/source-local";
import { PATIENT_KAFKA } from "../servers/patient-kafka.ts";

/** A log that is read and written to. */
export interface TestedLog extends LogSource {
  readonly admin: LogAdmin;
  readonly producer: LogProducer;
}

/** Opens the local log, or Kafka's. */
export async function openTestedLog(
  log: { readonly file: string } | { readonly brokers: readonly string[] },
): Promise<TestedLog> {
  if ("file" in log) return openLocalLog({ file: log.file, synchronous: "normal" });
  return openKafkaLog({ brokers: [...log.brokers], ...PATIENT_KAFKA });
}
