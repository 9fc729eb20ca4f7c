/**
 * Runs a client's example of at-least-once with work that throws at one value:
 *
 *     throw-at-poison.ts FOLDER TOPIC CONSUMER
 */
import { openRedisStore } from "@tidemark/store-redis";

const [folder = "", topic = "", consumer = ""] = process.argv.slice(2);
const { consumeAtLeastOnce } = await import(`../../src/${folder}/at-least-once.ts`);
await using store = await openRedisStore({ url: process.env["REDIS_URL"] ?? "" });
await consumeAtLeastOnce({
  brokers: (process.env["BROKERS"] ?? "").split(","),
  topic,
  consumer,
  group: process.env["GROUP"],
  store,
  partitions: [0],
  resetPolicy: "nearest",
  signal: new AbortController().signal,
  handle({ offset, value }: { offset: bigint | number | string; value: Buffer }) {
    console.log(0, String(offset), value.toString());
    if (value.toString() === "5") throw new Error("poison");
  },
});
