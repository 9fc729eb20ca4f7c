import { openMongoStore } from "@tidemark/store-mongo";
import { type Collection, type Document, MongoClient } from "mongodb";
import { committing } from "./committing.ts";
import { compareGrowth } from "./growth.ts";
import { type Comparison, compare, type Side } from "./paired.ts";
import { withServer } from "./server.ts";

/** Many and short: others on the machine do not come into all of them. */
const ROUNDS = 101;
const SINGLE_CALLS = 20;
const FLUSHES = 2;
const PARTITIONS = 100;
/** As many characters as a version has. */
const VERSION_LENGTH = 12;

/** Commits through the MongoDB store against plain updates by the same client, which compare and guard nothing. */
export async function compareMongo(): Promise<Comparison[]> {
  return await withServer("mongo", async ({ url, version }) => {
    const client = new MongoClient(url);
    try {
      await using store = await openMongoStore({ client, database: "benchmark" });
      const flushing = await committing(store, PARTITIONS, FLUSHES);
      const single = await committing(store, 1, SINGLE_CALLS);
      // What is copied has a position, as all that is written from then on.
      for (const side of [flushing, single]) await side();
      const alike = await copyOfStore(client);
      return [
        await compare(
          `MongoDB store (${version}), a flush of ${PARTITIONS} partitions, against a bulkWrite of $set of as many bytes, with the same indexes`,
          ROUNDS,
          flushing,
          await setting(alike, PARTITIONS, FLUSHES),
        ),
        await compare(
          `MongoDB store (${version}), one commit, against a bulkWrite of one $set of as many bytes, with the same indexes`,
          ROUNDS,
          single,
          await setting(alike, 1, SINGLE_CALLS),
        ),
        await compareGrowth({
          name: "MongoDB store",
          open: (place) => openMongoStore({ client, database: `benchmark-${place}` }),
          calls: 200,
          inFlight: 4,
        }),
      ];
    } finally {
      await client.close();
    }
  });
}

interface Copied extends Document {
  readonly _id: string;
  readonly value: string;
}

/** Makes a collection of the same documents as the store's, with the store's indexes. */
async function copyOfStore(client: MongoClient): Promise<Collection<Copied>> {
  const source = client.db("benchmark").collection<Copied>("offsets");
  const copy = client.db("benchmark").collection<Copied>("alike", { writeConcern: { w: "majority", journal: true } });
  await copy.insertMany(await source.find({}).toArray());
  for (const { key, name, expireAfterSeconds, partialFilterExpression } of await source.indexes()) {
    if (name === "_id_") continue;
    await copy.createIndex(key, {
      name: String(name),
      ...(expireAfterSeconds !== undefined && { expireAfterSeconds }),
      ...(partialFilterExpression !== undefined && { partialFilterExpression }),
    });
  }
  return copy;
}

/** Writes as many bytes into as many documents as one does without a store: nothing is compared, nothing stamped. */
async function setting(collection: Collection<Copied>, partitions: number, calls: number): Promise<Side> {
  const documents = await collection.find({}).sort({ _id: 1 }).limit(partitions).toArray();
  let position = 0;
  return async () => {
    for (let call = 0; call < calls; call += 1) {
      position += 1;
      const version = String(position).padStart(VERSION_LENGTH, "0");
      const writtenAt = new Date();
      const updates = documents.map(({ _id, value }) => {
        const fields = { version, previous: version, writtenAt, value: version + value.slice(VERSION_LENGTH) };
        return { updateOne: { filter: { _id }, update: { $set: fields } } };
      });
      await collection.bulkWrite(updates, { ordered: false });
    }
    return calls;
  };
}
