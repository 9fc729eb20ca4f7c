import { openMongoStore } from "@tidemark/store-mongo";
import { Long, MongoClient } from "mongodb";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare } from "./paired.ts";
import { withServer } from "./server.ts";

const ROUNDS = 15;
const SINGLE_CALLS = 200;
const FLUSHES = 10;
const PARTITIONS = 100;

/** Commits through the MongoDB store against plain updates by the same client, which compare and guard nothing. */
export async function compareMongo(): Promise<Comparison[]> {
  return await withServer("mongo", async ({ url, version }) => {
    const client = new MongoClient(url);
    try {
      await using store = await openMongoStore({ client, database: "benchmark" });
      const bare = client
        .db("benchmark")
        .collection<{ _id: string }>("bare", { writeConcern: { w: "majority", journal: true } });
      await bare.insertMany(Array.from({ length: PARTITIONS }, (_, index) => ({ _id: `consumer/topic/${index}` })));
      let position = 0;
      const write = async (partitions: number): Promise<void> => {
        const updates = Array.from({ length: partitions }, (_, index) => ({
          updateOne: {
            filter: { _id: `consumer/topic/${index}` },
            update: { $set: { position: Long.fromNumber((position += 1)) } },
          },
        }));
        await bare.bulkWrite(updates, { ordered: false });
      };
      const repeat = async (partitions: number, calls: number): Promise<number> => {
        for (let call = 0; call < calls; call += 1) await write(partitions);
        return calls;
      };
      const flush = await compare(
        `MongoDB store (${version}), a flush of ${PARTITIONS} partitions, against a bulkWrite of plain $set`,
        ROUNDS,
        await committing(store, PARTITIONS, FLUSHES),
        () => repeat(PARTITIONS, FLUSHES),
      );
      const single = await compare(
        "MongoDB store, one commit, against a bulkWrite of one plain $set",
        ROUNDS,
        await committing(store, 1, SINGLE_CALLS),
        () => repeat(1, SINGLE_CALLS),
      );
      const growth = await compareGrowth({
        name: "MongoDB store",
        open: (place) => openMongoStore({ client, database: `benchmark-${place}` }),
        calls: SINGLE_CALLS,
        inFlight: 4,
      });
      return [flush, single, growth];
    } finally {
      await client.close();
    }
  });
}
