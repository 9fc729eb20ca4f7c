import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type Binary, deserialize, type Document } from "bson";
import { Pool } from "pg";

import { GatewaySession } from "./gateway-session.ts";
import { changeReply, OpCode, parseCommand, replyTo, splitMessages, type WireMessage } from "./wire-message.ts";

const SET_NAME = "tidemark-gateway";
const HELLO_NAMES = new Set(["hello", "isMaster", "ismaster"]);
const MAX_TRANSACTIONS = 40;

/** Where the gateway finds what it stands before. */
export interface TransactionGatewayOptions {
  /** FerretDB's `mongodb://HOST:PORT/`: gets all that is not in a transaction, byte by byte. */
  readonly url: string;
  /** The `postgres://` URL of the engine below that FerretDB: carries out what is in a transaction. */
  readonly engineUrl: string;
  /** Milliseconds that a write in a transaction waits for a lock before it is a WriteConflict. Default 250. */
  readonly lockTimeoutMs?: number;
}

/** A gateway that listens. */
export interface TransactionGateway {
  /** `mongodb://127.0.0.1:PORT/`. */
  readonly url: string;
  /** Rolls back what is open and cuts its clients off. */
  close(): Promise<void>;
}

/**
 * Adds multi-document transactions to FerretDB for tests: its DocumentDB engine has them, its wire protocol has not. Tells
 * drivers that it is a replica set of one, carries the commands of a transaction out by the engine's own SQL functions
 * inside one PostgreSQL transaction, and forwards everything else. Both ways lead to the same tables.
 *
 * Unlike MongoDB it waits `lockTimeoutMs` before a conflict with an open transaction; tells an insert of what others
 * inserted since the snapshot as a duplicate, not as a conflict; and rolls back at once when a client's last connection
 * closes. A retryable write outside of a transaction is carried out again when it is repeated, as FerretDB does.
 */
export async function startTransactionGateway(options: TransactionGatewayOptions): Promise<TransactionGateway> {
  const { hostname, port } = new URL(options.url);
  const sessions = new Map<string, GatewaySession>();
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    sockets.add(client.on("close", () => sockets.delete(client)));
    serve(client, connect({ host: hostname, port: Number(port || 27_017) }), sessions, pool);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const pool = new Pool({
    connectionString: options.engineUrl,
    application_name: address,
    max: MAX_TRANSACTIONS,
    // MongoDB, too, ends a transaction that is older than a minute.
    options: `-c lock_timeout=${options.lockTimeoutMs ?? 250} -c transaction_timeout=60s`,
  });
  // An idle connection was lost: the pool has dropped it, and makes another when one is needed.
  pool.on("error", () => undefined);
  return {
    url: `mongodb://${address}/`,
    async close() {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
      await Promise.all([...sessions.values()].map((session) => session.close()));
      await pool.end();
    },
  };
}

function serve(client: Socket, ferret: Socket, sessions: Map<string, GatewaySession>, pool: Pool): void {
  const address = `${client.localAddress}:${client.localPort}`;
  const hellos = new Set<number>();
  for (const socket of [client, ferret]) {
    // What an error means is all in the close that follows.
    socket.on("error", () => undefined);
    socket.on("close", () => {
      client.destroy();
      ferret.destroy();
      for (const session of sessions.values()) session.leave(client);
    });
  }
  const onRequest = (request: WireMessage): void => {
    if (request.opCode === OpCode.message) {
      const command = parseCommand(request);
      // Every command of a transaction has the field, and no other has. Most bodies need no more than a look.
      const fields = command.body.includes("autocommit\0") ? deserialize(command.body, { useBigInt64: true }) : {};
      if (fields["autocommit"] === false) {
        const id = (fields["lsid"] as { id: Binary }).id.toString("hex");
        const session = sessions.get(id) ?? new GatewaySession(pool);
        sessions.set(id, session);
        void session
          .answer(command, fields, client)
          .then(
            (reply) => client.write(replyTo(request, reply)),
            () => client.destroy(),
          )
          // It may have closed before the command's turn came.
          .then(() => (client.destroyed ? session.leave(client) : undefined));
        return;
      }
      if (HELLO_NAMES.has(command.name)) hellos.add(request.requestId);
    } else if (request.opCode === OpCode.query) {
      hellos.add(request.requestId);
    } else {
      // A compressed message could hide a transaction from the gateway.
      client.destroy();
    }
    ferret.write(request.bytes);
  };
  client.setNoDelay(true).on("data", splitMessages(onRequest));
  const onReply = (reply: WireMessage): void => {
    const isHello = hellos.delete(reply.responseTo);
    client.write(isHello ? changeReply(reply, (hello) => asReplicaSet(hello, address)) : reply.bytes);
  };
  ferret.setNoDelay(true).on("data", splitMessages(onReply));
}

/** FerretDB's own hello, with what makes a driver offer transactions. */
function asReplicaSet(hello: Document, address: string): Document {
  if (!("isWritablePrimary" in hello) && !("ismaster" in hello)) return hello;
  const set = { setName: SET_NAME, hosts: [address], me: address, primary: address, secondary: false };
  return { ...hello, ...set, logicalSessionTimeoutMinutes: 30, compression: undefined, topologyVersion: undefined };
}
