import { type ClientSession, MongoClient } from "mongodb";
import {
  connectionFaults,
  type OpenedStore,
  type OpenStoreOptions,
  openTcpProxy,
  type StoreHarness,
} from "@tidemark/core/conformance";
import { EntryIds } from "../src/entry-ids.ts";
import { openMongoStore } from "../src/index.ts";

/** What the kit runs on. */
export interface MongoHarnessOptions {
  /** Names the suite: store, server, version and variant. */
  readonly name: string;
  readonly url: string;
  /** Whether the server has transactions, as its hello says. */
  readonly transactions: boolean;
  /** Default `tidemark_conformance`. */
  readonly database?: string;
}

/** The kit's harness on a server. All cases share one collection, like all consumers of one: namespaces keep them apart. */
export function mongoHarness(options: MongoHarnessOptions): StoreHarness<ClientSession> {
  const { name, url, transactions, database = "tidemark_conformance" } = options;
  const open = async ({ namespace, timeout, onEvent }: OpenStoreOptions): Promise<OpenedStore<ClientSession>> => {
    const { hostname, port } = new URL(url);
    const proxy = await openTcpProxy({ host: hostname, port: Number(port || 27_017) });
    const client = new MongoClient(throughProxy(url, proxy.port));
    const store = await openMongoStore({ client, database, namespace, timeout, onEvent });
    const records = client.db(database).collection<{ _id: string }>("offsets");
    const ids = new EntryIds(namespace);
    const sessions = new Set<ClientSession>();
    const close = async (): Promise<void> => {
      await store.close();
      for (const session of sessions) await session.endSession();
      await client.close();
      await proxy.close();
    };
    return {
      store,
      close,
      ...connectionFaults(proxy),
      async reopen() {
        await close();
        return open({ namespace, ...(timeout !== undefined && { timeout }) });
      },
      async peek(key) {
        return (await records.findOne({ _id: ids.of(key) })) !== null;
      },
      async corrupt(key) {
        await records.updateOne({ _id: ids.of(key) }, { $set: { version: "by hand", value: "no record" } });
      },
      async makeUnreadable(key) {
        const of = { _id: ids.of(key) };
        const stored = await records.findOne<{ value: string }>(of);
        await records.updateOne(of, { $set: { value: 5 } });
        return async () => void (await records.updateOne(of, { $set: { value: stored?.value } }));
      },
      ...(transactions && {
        async beginTransaction() {
          const session = client.startSession();
          sessions.add(session);
          session.startTransaction();
          return {
            transaction: session,
            commit: () => session.commitTransaction(),
            rollback: () => session.abortTransaction(),
          };
        },
      }),
    };
  };
  return { name, connection: "remote", open };
}

/** The URL of a server as it is reached through a proxy: as one address, whatever the set says of its members. */
export function throughProxy(url: string, port: number): string {
  const through = new URL(url);
  through.host = `127.0.0.1:${port}`;
  through.searchParams.delete("replicaSet");
  through.searchParams.set("directConnection", "true");
  return through.href;
}

/** Whether a server says that it is a replica set or sharded, and so has transactions. */
export async function hasTransactions(url: string): Promise<boolean> {
  const client = new MongoClient(url);
  try {
    const hello = await client.db("admin").command({ hello: 1 });
    return typeof hello["setName"] === "string" || hello["msg"] === "isdbgrid";
  } finally {
    await client.close();
  }
}
