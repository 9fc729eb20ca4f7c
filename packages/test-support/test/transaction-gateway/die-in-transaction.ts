/**
 * A client to be killed: `die-in-transaction.ts URL DATABASE` begins a transaction, writes in it, says `written`, and waits.
 */
import { MongoClient } from "mongodb";

const [url = "", database = ""] = process.argv.slice(2);
const client = await MongoClient.connect(url);
const session = client.startSession();
session.startTransaction();
const things = client.db(database).collection<{ _id: number; n?: number }>("things");
await things.updateOne({ _id: 1 }, { $set: { n: -1 } }, { session });
await things.insertOne({ _id: 2 }, { session });
process.stdout.write("written\n");
setInterval(() => undefined, 60_000);
