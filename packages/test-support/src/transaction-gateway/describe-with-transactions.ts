import { MongoClient } from "mongodb";

import { describeWithServer } from "../servers/describe-with-server.ts";
import type { RunningServer } from "../servers/server.ts";
import { sharedServer } from "../servers/shared-server.ts";
import { startTransactionGateway } from "./start-transaction-gateway.ts";

/** A server of MongoDB's protocol that has transactions. */
export interface TransactionalMongo {
  readonly url: string;
  /** The server and how it comes by its transactions, for the names of suites. */
  readonly version: string;
  /** With a gateway before it: the server itself and its engine. */
  readonly behind?: { readonly url: string; readonly engineUrl: string };
}

/**
 * Declares tests that need transactions in MongoDB: on the shared server itself where it is a replica set or sharded, and
 * otherwise on the gateway before its engine. Where there is neither they are skipped under a name that says why.
 */
export async function describeWithTransactions(define: (mongo: TransactionalMongo) => void): Promise<void> {
  const { afterAll, describe, it } = await import("vitest");
  const server = await sharedServer("mongo");
  if ("missing" in server) return describeWithServer("mongo", () => undefined);
  const { url, engineUrl } = server;
  if (engineUrl !== undefined) {
    const gateway = await startTransactionGateway({ url, engineUrl });
    const version = `${server.version}, transactions by the engine's SQL`;
    describe(version, () => {
      afterAll(() => gateway.close());
      define({ url: gateway.url, version, behind: { url, engineUrl } });
    });
  } else if (await isReplicated(server)) {
    const version = `${server.version}, transactions`;
    describe(version, () => define({ url, version }));
  } else {
    describe.skip(`transactions: not run, ${server.version} is no replica set`, () => it("needs one", () => undefined));
  }
  return undefined;
}

async function isReplicated({ url }: RunningServer): Promise<boolean> {
  const client = new MongoClient(url);
  try {
    const hello = await client.db("admin").command({ hello: 1 });
    return typeof hello["setName"] === "string" || hello["msg"] === "isdbgrid";
  } finally {
    await client.close();
  }
}
