import { openMongoStore } from "@tidemark/store-mongo";
import { type Collection, Long, MongoClient } from "mongodb";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare, type Side } from "./paired.ts";
import { withServer } from "./server.ts";

const ROUNDS = 9;
const SINGLE_CALLS = 200;
const FLUSHES = 10;
const PARTITIONS = 100;

/** Commits through the MongoDB store against plain updates by the same client, which compare and guard nothing. */
export async function compareMongo(): Promise<Comparison[]> {
  return await withServer("mongo", async ({ url, version }) => {
    const client = new MongoClient(url);
    try {
      await using store = await openMongoStore({ client, database: "benchmark" });
      const committingAll = await committing(store, PARTITIONS, FLUSHES);
      const alike = await copyOfStore(client, "alike", true);
      const bare = await copyOfStore(client, "bare", false);
      const flush = await compare(
        `MongoDB store (${version}), a flush of ${PARTITIONS} partitions, against a bulkWrite of plain $set`,
        ROUNDS,
        committingAll,
        setting(bare, PARTITIONS, FLUSHES),
      );
      const flushAlike = await compare(
        `MongoDB store, a flush of ${PARTITIONS} partitions, against the same in a collection with the store's indexes`,
        ROUNDS,
        committingAll,
        setting(alike, PARTITIONS, FLUSHES),
      );
      const single = await compare(
        "MongoDB store, one commit, against a bulkWrite of one plain $set",
        ROUNDS,
        await committing(store, 1, SINGLE_CALLS),
        setting(bare, 1, SINGLE_CALLS),
      );
      const growth = await compareGrowth({
        name: "MongoDB store",
        open: (place) => openMongoStore({ client, database: `benchmark-${place}` }),
        calls: SINGLE_CALLS,
        inFlight: 4,
      });
      return [flush, flushAlike, single, growth];
    } finally {
      await client.close();
    }
  });
}

/** Makes a collection of the same documents as the store's, with the store's indexes or with none. */
async function copyOfStore(client: MongoClient, name: string, indexed: boolean): Promise<Collection> {
  const source = client.db("benchmark").collection("offsets");
  const copy = client.db("benchmark").collection(name, { writeConcern: { w: "majority", journal: true } });
  await copy.insertMany(await source.find({}).toArray());
  const indexes = (await source.indexes()).filter((index) => index.name !== "_id_");
  if (indexed) {
    for (const { key, name: index, expireAfterSeconds, partialFilterExpression } of indexes) {
      await copy.createIndex(key, {
        name: String(index),
        ...(expireAfterSeconds !== undefined && { expireAfterSeconds }),
        ...(partialFilterExpression !== undefined && { partialFilterExpression }),
      });
    }
  }
  return copy;
}

/** Moves positions on as one does without a store: nothing is compared, nothing expires. */
function setting(collection: Collection, partitions: number, calls: number): Side {
  let position = 0;
  let ids: unknown[] | undefined;
  return async () => {
    ids ??= await collection.distinct("_id");
    for (let call = 0; call < calls; call += 1) {
      position += 1;
      const updates = ids.slice(0, partitions).map((id) => ({
        updateOne: { filter: { _id: id as never }, update: { $set: { nextOffset: Long.fromNumber(position) } } },
      }));
      await collection.bulkWrite(updates, { ordered: false });
    }
    return calls;
  };
}
