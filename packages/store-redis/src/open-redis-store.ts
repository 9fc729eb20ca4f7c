import { type OffsetStore, OffsetStoreError } from "@tidemark/core";
import {
  createOffsetStore,
  type ErrorClassification,
  type OffsetStoreOptions,
  resolveStoreOptions,
  validateOptionNames,
  warnOfStore,
} from "@tidemark/core/driver";
import { type RedisAcknowledgement, waitCommand } from "./acknowledgement.ts";
import { parseConnectionUrl } from "./connection-url.ts";
import { ConnectionAttempt, openOwnClient } from "./own-client.ts";
import type { RedisStoreClient } from "./redis-client.ts";
import { connectionOf, type RedisConnection } from "./redis-connection.ts";
import { RedisDriver } from "./redis-driver.ts";
import { classifyRedisError } from "./redis-errors.ts";
import { checkServers } from "./server-checks.ts";

/** What a Redis store is opened with: a client, or a URL. */
export interface RedisStoreOptions extends OffsetStoreOptions {
  /**
   * Your own client, connected, with a listener for its `error` event: of `createClient`, `createClientPool`,
   * `createCluster` or `createSentinel`. The store never closes it.
   */
  readonly client?: RedisStoreClient | undefined;
  /**
   * Instead of a client: `redis://USER:PASSWORD@HOST:PORT/DATABASE`, `rediss://` with TLS; `?cluster=true` or
   * `?sentinel=NAME` (the host is a Sentinel then), more nodes as `&nodes=HOST:PORT,...`. The store opens and closes it.
   */
  readonly url?: string | undefined;
  /** The beginning of every key of the store, before `tidemark:`; no braces. A `keyPrefix` of the client is not used. Default `""`. */
  readonly keyPrefix?: string | undefined;
  /**
   * Makes every write wait for replicas, or for the append-only file. If too few answer, the entries fail with a
   * retryable error: they are written but not acknowledged. Other commands on the same connection wait in the meantime.
   * Default: no waiting.
   */
  readonly acknowledge?: RedisAcknowledgement | undefined;
}

/**
 * Opens a store in Redis 7.0 or later, or Valkey: alone, behind Sentinel, or in a Cluster.
 *
 * Rejects with `TypeError` or `RangeError` if an option makes no sense, and otherwise with an `OffsetStoreError`:
 * `UNAVAILABLE`, `TIMEOUT`, `PERMISSION_DENIED` (user or password), or `UNSUPPORTED` (too old, or a replica). Warns if the
 * server may evict positions.
 */
export async function openRedisStore(options: RedisStoreOptions): Promise<OffsetStore> {
  validateOptionNames(options, ["client", "url", "keyPrefix", "acknowledge"]);
  const { namespace, timeout } = resolveStoreOptions(options);
  const { client, url, keyPrefix = "", acknowledge } = options;
  if ((client === undefined) === (url === undefined)) throw new TypeError("give either a client or a url");
  if (typeof keyPrefix !== "string" || /[{}]/u.test(keyPrefix)) {
    throw new TypeError("keyPrefix must be a string without braces: they would choose the Cluster slot of a key");
  }
  const wait = waitCommand(acknowledge, timeout);
  const parsed = url === undefined ? undefined : parseConnectionUrl(url);
  const given = client === undefined ? undefined : validateClient(client);
  const attempt = new ConnectionAttempt();
  const controller = new AbortController();
  const timedOut = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    timedOut.reject(new OpenTimeout());
    controller.abort();
  }, timeout);
  let close = async (): Promise<void> => undefined;
  try {
    const opening = (async () => {
      let connection = given;
      if (parsed !== undefined) {
        const own = await openOwnClient(parsed, attempt, controller.signal);
        close = own.close;
        connection = connectionOf(own.client);
      }
      if (connection === undefined) throw new TypeError("client must be a client of the package redis");
      return { connection, warnings: await checkServers(connection, wait, controller.signal) };
    })();
    opening.catch(() => undefined);
    const { connection, warnings } = await Promise.race([opening, timedOut.promise]);
    for (const warning of warnings) warnOfStore(options, "redis", warning);
    return createOffsetStore(new RedisDriver({ connection, namespace, keyPrefix, wait, close }), options);
  } catch (error) {
    await close().catch(() => undefined);
    throw openError(error, attempt, { timeout, tls: parsed?.tls === true });
  } finally {
    clearTimeout(timer);
  }
}

class OpenTimeout extends Error {
  override readonly name = "OpenTimeout";
}

function validateClient(client: RedisStoreClient): RedisConnection {
  const connection = connectionOf(client);
  if (connection === undefined) throw new TypeError("client must be a client of the package redis");
  if (!connection.isOpen)
    throw new TypeError("client is not connected: await client.connect() before you open the store");
  return connection;
}

function openError(
  error: unknown,
  attempt: ConnectionAttempt,
  { timeout, tls }: { readonly timeout: number; readonly tls: boolean },
): unknown {
  if (error instanceof TypeError || error instanceof OffsetStoreError) return error;
  const isLate = error instanceof OpenTimeout;
  // Of many nodes the client says in the end only that it found none; what a node said is the reason.
  const isOfAllNodes = error instanceof Error && error.constructor.name === "RootNodesUnavailableError";
  const cause = isLate || isOfAllNodes ? (attempt.lastError ?? error) : error;
  const classified = classifyRedisError(cause);
  const { code, retryable, message } = isLate && classified.code === "UNKNOWN" ? unanswered(timeout, tls) : classified;
  return new OffsetStoreError(`redis store: open failed: ${message}`, {
    code,
    retryable,
    operation: "open",
    store: "redis",
    cause,
  });
}

function unanswered(timeout: number, tls: boolean): ErrorClassification {
  // A Redis that speaks no TLS waits for the rest of what it takes for a command, without a word.
  const [code, advice] = tls
    ? (["UNAVAILABLE", "if the server does not speak TLS, use redis:// instead of rediss://"] as const)
    : (["TIMEOUT", "check the address, and whether the server requires TLS (rediss://)"] as const);
  return { code, retryable: true, message: `no answer within ${timeout} ms; ${advice}` };
}
