import type { LogRecord } from "@tidemark/core";
import { expect, test } from "vitest";
import { createRecordEncoder } from "../../src/commands/consume/record-encoder.ts";
import { readJsonRecord } from "../../src/commands/produce/json-record.ts";

// Kafka's brokers have given every record a time since 0.10: only old segments have such records.
test("a record without a timestamp is shown without one, and can be written again", async () => {
  const record: LogRecord = {
    ...{ topic: "t", partition: 0, offset: 0n, timestampMs: -1, headers: [] },
    ...{ key: null, value: Buffer.from("old") },
  };
  const line = (await createRecordEncoder("json"))(record);
  expect(JSON.parse(Buffer.from(line).toString())).not.toHaveProperty("timestamp");
  expect(readJsonRecord(line)).not.toHaveProperty("timestampMs");
});
