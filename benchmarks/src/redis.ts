import { openRedisStore, storeUrl } from "@tidemark/store-redis";
import { createClient } from "redis";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare } from "./paired.ts";
import { withServer } from "./server.ts";

const ROUNDS = 15;
const SINGLE_CALLS = 2_000;
const FLUSHES = 200;
const PARTITIONS = 128;

/** Commits through the Redis store against bare SETs by the same client, which compare and guard nothing. */
export async function compareRedis(): Promise<Comparison[]> {
  return await withServer("redis", async ({ url, version }) => {
    // The client's own time-out makes a timer for each command, which fires five seconds later, when the other side runs.
    const client = createClient({ url, commandOptions: { timeout: 0 } });
    await client.connect();
    try {
      await using store = await openRedisStore({ client });
      let position = 0;
      const single = await compare(
        `Redis store (${version}), one commit, against a bare SET`,
        ROUNDS,
        await committing(store, 1, SINGLE_CALLS),
        async () => {
          for (let call = 0; call < SINGLE_CALLS; call += 1) await client.set("bare:0", String((position += 1)));
          return SINGLE_CALLS;
        },
      );
      const flush = await compare(
        `Redis store, a flush of ${PARTITIONS} partitions, against ${PARTITIONS} pipelined SETs`,
        ROUNDS,
        await committing(store, PARTITIONS, FLUSHES),
        async () => {
          for (let call = 0; call < FLUSHES; call += 1) {
            position += 1;
            await Promise.all(
              Array.from({ length: PARTITIONS }, (_, index) => client.set(`bare:${index}`, String(position))),
            );
          }
          return FLUSHES;
        },
      );
      const growth = await compareGrowth({
        name: "Redis store",
        open: (place) => storeUrl.open(`${url}/${place === "few" ? 1 : 2}`),
        calls: SINGLE_CALLS,
        inFlight: 8,
      });
      return [single, flush, growth];
    } finally {
      await client.close();
    }
  });
}
