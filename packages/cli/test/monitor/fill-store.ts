import { join } from "node:path";
import { openLocalLog } from "@tidemark/source-local";
import { openSqliteStore } from "@tidemark/store-sqlite";
import type { Workspace } from "../support/workspace.ts";

/** How many there are of each. */
export interface Filling {
  readonly consumers: number;
  readonly topics: number;
  readonly partitions: number;
}

/** Gives each consumer a claimed position on each partition of each topic, one record before the end; names the file for a command. */
export async function fillStore(workspace: Workspace, filling: Filling): Promise<readonly string[]> {
  const file = join(workspace.folder, "filled.db");
  await using store = await openSqliteStore({ file });
  await using log = await openLocalLog({ file });
  const partitions = Array.from({ length: filling.partitions }, (_, partition) => partition);
  for (let number = 0; number < filling.topics; number += 1) {
    const topic = `topic-${number}`;
    await log.admin?.createTopic(topic, { partitions: filling.partitions });
    for (const partition of partitions) await log.producer?.produce(topic, partition, [{ value: Buffer.from("1") }]);
    for (let consumer = 0; consumer < filling.consumers; consumer += 1) {
      const keys = partitions.map((partition) => ({ consumer: `consumer-${consumer}`, topic, partition }));
      await store.claim(keys.map((key) => ({ key, token: "token", owner: `host-${consumer}:4711` })));
      await store.commit(keys.map((key) => ({ key, token: "token", nextOffset: 0n })));
    }
  }
  return ["--store", `sqlite:${file}`, "--log", `local:${file}`];
}
