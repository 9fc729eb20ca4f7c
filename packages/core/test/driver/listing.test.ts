import assert from "node:assert/strict";
import { createOffsetStore } from "@tidemark/core/driver";
import { it } from "vitest";
import { tinyDriver } from "./tiny-driver.ts";

it("asks the driver for a page when the one before is read, at 100,000 records too (contract 3.12c)", async () => {
  const pageSize = 1_000;
  let produced = 0;
  const entry = { version: "123456789012", value: '{"v":1,"epoch":1}', writtenAt: 1 };
  const store = createOffsetStore(
    tinyDriver({
      list: async function* () {
        for (let page = 0; page < 100; page += 1) {
          produced += pageSize;
          const keys = Array.from({ length: pageSize }, (_, partition) => ({
            consumer: "c",
            topic: `t${page}`,
            partition,
          }));
          yield { now: 1, entries: keys.map((key) => ({ key, entry })) };
        }
      },
    }),
  );
  let read = 0;
  for await (const record of store.list()) {
    assert.ok(record.topic.startsWith("t"));
    assert.ok(produced - read <= pageSize, `${produced - read} records were held while one was read`);
    read += 1;
  }
  assert.equal(read, 100_000);
});
