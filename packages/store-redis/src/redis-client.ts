/** What a command is sent with: the options of `redis` that the store uses. */
export interface RedisCommandOptions {
  /** Takes the command out of the client's queue. The answer to a command that was sent already is ignored. */
  readonly abortSignal?: AbortSignal;
  /** None: texts as strings and numbers as numbers, also where the caller's client does otherwise for its own commands. */
  readonly typeMapping?: object;
  /** 0: none; the store has its own. */
  readonly timeout?: number;
}

/** What the store needs of a client of one server, or of a pool of such, as `createClient` and `createClientPool` make it. */
export interface RedisSingleClient {
  readonly isOpen: boolean;
  sendCommand(args: string[], options?: RedisCommandOptions): Promise<unknown>;
}

/** What the store needs of a client of a Cluster, as `createCluster` makes it. */
export interface RedisClusterClient {
  readonly isOpen: boolean;
  readonly masters: readonly object[];
  readonly nodeByAddress: ReadonlyMap<string, object>;
  nodeClient(node: never): Promise<RedisSingleClient>;
  getNodeClientForKey(key: string): Promise<RedisSingleClient>;
  sendCommand(key: string, isReadonly: boolean, args: string[], options?: RedisCommandOptions): Promise<unknown>;
}

/** What the store needs of a client of a Sentinel set, as `createSentinel` makes it. */
export interface RedisSentinelClient {
  readonly isOpen: boolean;
  getMasterNode(): { readonly host: string; readonly port: number } | undefined;
  /** Runs something on a connection to the master; again, on another one, if it rejects because the first one broke. */
  _execute<Result>(isReadonly: boolean, run: (client: RedisSingleClient) => Promise<Result>): Promise<Result>;
}

/**
 * A client of the package `redis`, with any modules, scripts, RESP version and type mapping: of one server
 * (`createClient`, `createClientPool`), of a Cluster (`createCluster`), or of a Sentinel set (`createSentinel`).
 */
export type RedisStoreClient = RedisSingleClient | RedisClusterClient | RedisSentinelClient;
