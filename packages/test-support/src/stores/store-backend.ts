import type { OffsetStore } from "@tidemark/core";
import type { OffsetStoreOptions } from "@tidemark/core/driver";
import type { TcpProxy, TcpProxyOptions, WireProtocolName } from "../faults/index.ts";
import type { RunningServer, ServerName } from "../servers/index.ts";

/** How a test opens a client of a backend. */
export interface OpenBackendOptions {
  /** Milliseconds. Default: the store's own. */
  readonly timeout?: number;
  /** Leads the client's connections through a proxy; only of a store on a server. */
  readonly through?: TcpProxy;
  /** Within the room. Default: the same for all. */
  readonly namespace?: string;
  /** Hears what the store tells; default nobody does. */
  readonly onEvent?: OffsetStoreOptions["onEvent"];
}

/** Room of a test's own in one kind of store: everything that is opened of it sees the same records. */
export interface StoreBackend {
  /** Opens one more client. The caller closes the store; what the client is made of is closed with it. */
  open(options?: OpenBackendOptions): Promise<OffsetStore<unknown>>;
  /** Where a proxy has to lead; only of a store on a server. */
  readonly address?: TcpProxyOptions;
  /** Removes the room and all that is in it, as far as the server can be reached. */
  close(): Promise<void>;
}

/** One kind of store, as tests of all of them see it. */
export interface TestedStore {
  readonly name: "memory" | "sqlite" | "redis" | "mongo" | "postgres" | "s3";
  /** What it needs; `undefined`: nothing. */
  readonly server?: ServerName;
  /** What it speaks. */
  readonly protocol?: WireProtocolName;
  /** Makes room. `server` is one of the kind that it needs. */
  openBackend(server: RunningServer | undefined): Promise<StoreBackend>;
}

/** A store that cannot do without a server. */
export interface TestedRemoteStore extends TestedStore {
  readonly server: ServerName;
  readonly protocol: WireProtocolName;
}
