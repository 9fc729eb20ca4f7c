import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { testLogSource } from "@tidemark/core/conformance";
import { openLocalLog } from "@tidemark/source-local";
import { describe, it } from "vitest";

testLogSource(
  { describe, it },
  {
    name: "the local log",
    can: ["admin", "marks", "deleteRecords", "advanceTo", "advanceFar"],
    async open() {
      const folder = await mkdtemp(join(tmpdir(), "tidemark-log-"));
      const file = join(folder, "log.db");
      const source = await openLocalLog({ file });
      let topics = 0;
      return {
        source,
        async createTopic(partitions) {
          const topic = `topic-${topics++}`;
          await source.admin.createTopic(topic, { partitions });
          return topic;
        },
        produce: (topic, partition, records) => source.producer.produce(topic, partition, records),
        deleteRecords: (topic, partition, before) => source.deleteRecords(topic, partition, before),
        async advanceTo(topic, partition, offset) {
          const database = new DatabaseSync(file, { timeout: 5_000 });
          database
            .prepare(
              `UPDATE tidemark_log_partition SET next_offset = ? WHERE partition = ?
                AND topic_id = (SELECT topic_id FROM tidemark_log_topic WHERE name = ?)`,
            )
            .run(offset, partition, Buffer.from(topic));
          database.close();
        },
        async close() {
          await source.close();
          await rm(folder, { recursive: true, force: true });
        },
      };
    },
  },
);
