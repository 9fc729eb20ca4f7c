import type { SelfSigned } from "./self-signed.ts";

/** The servers that tests can ask for. */
export type ServerName =
  /** Debian's Redis, alone. */
  | "redis"
  /** The newest Redis that can be had, alone. */
  | "redis-newest"
  /** Valkey, alone. */
  | "valkey"
  /** Three masters, no replicas. */
  | "redis-cluster"
  /** One master, one replica, three Sentinels that call the set `mymaster`. */
  | "redis-sentinel"
  /** MongoDB's protocol: FerretDB over the DocumentDB engine, or what the environment or Docker gives. */
  | "mongo"
  /** Debian's PostgreSQL. */
  | "postgres"
  /** The newest PostgreSQL that can be had. */
  | "postgres-newest"
  /** PgBouncer, which lends connections for one transaction, before Debian's PostgreSQL. */
  | "pgbouncer"
  /** Debian's PostgreSQL and a standby that has all it has committed. */
  | "postgres-pair"
  | "minio"
  | "versitygw"
  /** Ceph's RADOS Gateway. */
  | "ceph"
  /** One Kafka broker. */
  | "kafka"
  /** Three Kafka brokers, topics on all of them unless told otherwise. */
  | "kafka-cluster"
  /** Two Kafka brokers, and a controller that is none. */
  | "kafka-apart"
  /** One Kafka broker that wants TLS and credentials, and asks ACLs. */
  | "kafka-secure";

/** How an S3 server is spoken to. */
export interface S3Access {
  readonly endpoint: string;
  readonly region: string;
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
}

/** How a Kafka broker with TLS and SASL (PLAIN, SCRAM-SHA-256, OAUTHBEARER) is spoken to. */
export interface KafkaAccess {
  /** Its certificate, as PEM. */
  readonly ca: string;
  /** May do anything. */
  readonly admin: KafkaUser;
  /** May do what ACLs allow. */
  readonly reader: KafkaUser;
  /** The certificate and the key, as PEM, of whom the listener of `certificatesUrl` lets in; may do anything. */
  readonly client: SelfSigned;
  readonly certificatesUrl: string;
  /** Where tokens of OAuth 2 are taken that nobody signed. */
  readonly tokensUrl: string;
}

/** Somebody whom a Kafka broker knows. */
export interface KafkaUser {
  readonly username: string;
  readonly password: string;
}

/** A server that answers. */
export interface RunningServer {
  readonly name: ServerName;
  /** What it is and which version, as the tables print it, for example `Redis 7.0.15, cluster of 3`. */
  readonly version: string;
  /**
   * Where it is: `redis://127.0.0.1:1234` (of a cluster, one of its nodes; of a Sentinel set, one of the Sentinels),
   * `mongodb://127.0.0.1:1234`, `postgres://postgres@127.0.0.1:1234/postgres`, `kafka://127.0.0.1:1234`, or an S3 endpoint `http://127.0.0.1:1234`.
   */
  readonly url: string;
  /** All nodes of a cluster, or all Sentinels; of a single server, itself. */
  readonly urls: readonly string[];
  /** Of an S3 server. */
  readonly s3?: S3Access | undefined;
  /** Of a Kafka broker with credentials. */
  readonly kafka?: KafkaAccess | undefined;
  /** Of FerretDB: the engine below, `postgres://...`. */
  readonly engineUrl?: string | undefined;
}

/** What can be done to a server that a test started for itself, or to one process of it. */
export interface ServerControls {
  /** Ends it with SIGKILL and waits until it is gone; what it has written stays, as far as it survives that. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and data, and waits until it answers. */
  restart(): Promise<void>;
  /** Stops it (SIGSTOP): connections are accepted by the system, and never answered. */
  pause(): void;
  /** Lets it continue (SIGCONT). */
  resume(): void;
}

/** One process of a server. */
export interface ServerNode extends ServerControls {
  /** What it is in the whole; of a Sentinel set, what it was at the start. */
  readonly role: "server" | "master" | "replica" | "sentinel" | "engine";
  /** Where it listens. */
  readonly url: string;
  /** Its process id; `undefined` while it is down. */
  readonly pid: number | undefined;
  /** Of a Kafka broker: the folder with one folder for each partition. */
  readonly logFolder?: string | undefined;
}

/** A server that a test started for itself, to kill it. The controls act on all its nodes. */
export interface OwnServer extends RunningServer, ServerControls {
  /** The processes that serve `url`: all of a cluster; of FerretDB, the engine and the gateway. */
  readonly nodes: readonly ServerNode[];
  /** The process ids of `nodes` that run: for tests that pause or count. */
  readonly pids: readonly number[];
  /** Ends it and removes its data. */
  stop(): Promise<void>;
}

/** Why a server cannot be had here, as one line for a person. */
export interface MissingServer {
  readonly name: ServerName;
  readonly missing: string;
}
