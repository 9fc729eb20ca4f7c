import { createClient, createCluster, createSentinel } from "redis";
import type { ConnectionUrl } from "./connection-url.ts";
import type { RedisStoreClient } from "./redis-client.ts";

/** A client that the store has opened itself. */
export interface OwnClient {
  readonly client: RedisStoreClient;
  close(): Promise<void>;
}

/** What happened while connecting, for who waits no longer. */
export class ConnectionAttempt {
  /** The last error that the client reported. */
  lastError: unknown;
}

/** Connects. Rejects with the first failure; once it was connected, the client connects again by itself forever. */
export async function openOwnClient(
  url: ConnectionUrl,
  attempt: ConnectionAttempt,
  signal: AbortSignal,
): Promise<OwnClient> {
  const { username, password, tls, database, nodes, sentinelName, sentinelPassword } = url;
  let wasConnected = false;
  const reconnectStrategy = (retries: number): number | false =>
    wasConnected ? Math.min(50 * 2 ** Math.min(retries, 5), 1_000) + Math.random() * 50 : false;
  // Keep-alive after a second: a server that is gone without a word is noticed by the calls' time-outs in any case.
  const socket = { reconnectStrategy, ...(tls && { tls: true as const }) };
  const login = { ...(username !== undefined && { username }), ...(password !== undefined && { password }) };
  const [first = { host: "localhost", port: 6379 }] = nodes;
  const selected = database === undefined ? {} : { database };
  const client =
    url.kind === "cluster"
      ? createCluster({
          rootNodes: nodes.map((node) => ({ socket: { ...socket, ...node } })),
          defaults: { ...login, socket },
        })
      : url.kind === "sentinel"
        ? createSentinel({
            name: sentinelName ?? "",
            sentinelRootNodes: [...nodes],
            maxCommandRediscovers: 1,
            nodeClientOptions: { ...login, ...selected, socket },
            sentinelClientOptions: {
              socket,
              ...(sentinelPassword !== undefined && { password: sentinelPassword }),
            },
          })
        : leavingReplicas(createClient({ ...login, ...selected, socket: { ...socket, ...first } }));
  // Without a listener the first lost connection would end the process. What it says, the calls say too.
  const listen = (event: string): void => {
    (client as { on(event: string, listener: (error: unknown) => void): unknown }).on(event, (error) => {
      attempt.lastError = (error as { error?: unknown } | undefined)?.error ?? error;
    });
  };
  for (const event of ["error", "client-error", "node-error"]) listen(event);
  const destroy = (): void => {
    // What is not open cannot be closed, says the client.
    void Promise.resolve()
      .then(() => client.destroy())
      .catch(() => undefined);
  };
  signal.addEventListener("abort", destroy, { once: true });
  try {
    await client.connect();
    signal.throwIfAborted();
    wasConnected = true;
  } catch (error) {
    destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", destroy);
  }
  return {
    client: client as unknown as RedisStoreClient,
    // Nothing is in flight any more: what a client keeps waiting for behind a dead connection never comes.
    close: async () => {
      await client.destroy();
    },
  };
}

/**
 * A client that connects again when its server has become a replica: that one keeps the connection, while the address may already
 * lead to the new master.
 */
function leavingReplicas(client: SingleClient): SingleClient {
  const send = client.sendCommand.bind(client) as (...call: unknown[]) => Promise<unknown>;
  let leaving: Promise<unknown> | undefined;
  const sendCommand = async (...call: unknown[]): Promise<unknown> => {
    try {
      return await send(...call);
    } catch (error) {
      if (error instanceof Error && /^READONLY\b/u.test(error.message)) {
        // The server closes the connection; the client is not closed by it.
        leaving ??= send(["QUIT"])
          .catch(() => undefined)
          .finally(() => (leaving = undefined));
      }
      throw error;
    }
  };
  return Object.assign(client, { sendCommand });
}

type SingleClient = ReturnType<typeof createClient>;
