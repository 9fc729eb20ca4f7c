import type { OffsetStoreEvent } from "./driver/store-options.ts";
import type { LogSource } from "./log-source.ts";
import type { OffsetStore } from "./offset-store.ts";

/** What a store is opened with when it is named by a URL. */
export interface StoreUrlOptions {
  /** Default `tidemark`. */
  readonly namespace?: string | undefined;
  /** Milliseconds that any call may take. Default 10,000. */
  readonly timeout?: number | undefined;
  /** Is called for retries and warnings. Without it, a warning goes to `process.emitWarning`. */
  readonly onEvent?: ((event: OffsetStoreEvent) => void) | undefined;
}

/**
 * How a package's store is reached by URL: the package exports it under the name `storeUrl`. The command line finds the
 * package by the URL's scheme.
 */
export interface StoreUrlOpener {
  /** The schemes without the colon, for example `["redis", "rediss"]`. */
  readonly schemes: readonly string[];
  /** How such a URL is written, for help and messages, for example `sqlite:FILE`. */
  readonly usage: string;
  /** Opens the store; a URL that makes no sense is a `TypeError`. The store owns what it opened. */
  open(url: string, options?: StoreUrlOptions): Promise<OffsetStore>;
  /**
   * Whether the store at the URL exists already, if opening would create it: a command that only reads then does not, so that
   * a mistyped name does not look like an empty store. Absent: opening creates nothing.
   */
  exists?(url: string): Promise<boolean>;
}

/** What a log is opened with when it is named by a URL. */
export interface LogUrlOptions {
  /** What does not fit into a URL, by the names that the log's package documents; others are a `TypeError`. */
  readonly settings?: Readonly<Record<string, unknown>> | undefined;
  /** The folder of relative paths in the settings. Default: the working directory. */
  readonly folder?: string | undefined;
}

/** How a package's log is reached by URL: the package exports it under the name `logUrl`. */
export interface LogUrlOpener {
  /** The schemes without the colon, for example `["kafka"]`. */
  readonly schemes: readonly string[];
  /** How such a URL is written, for help and messages, for example `local:FILE`. */
  readonly usage: string;
  /** Opens the log; a URL that makes no sense is a `TypeError`. The source owns what it opened. */
  open(url: string, options?: LogUrlOptions): Promise<LogSource>;
  /** As {@link StoreUrlOpener.exists}: whether the log at the URL exists already. Absent: opening creates nothing. */
  exists?(url: string): Promise<boolean>;
}
