import { cephIsInstalled, launchCeph } from "./ceph.ts";
import { findKafka, type KafkaProgram } from "./find-kafka.ts";
import { findDebianFolder, findInCache, findOnPath, findProgram } from "./find-program.ts";
import { canEnter, findServerProgram, howToGet, type ProgramSources } from "./find-server-program.ts";
import { countBrokers, launchKafka } from "./kafka.ts";
import { launchKafkaApart } from "./kafka-apart.ts";
import { launchSecureKafka } from "./kafka-secure.ts";
import { launchFerretDb, launchMongod, mongoVersion } from "./mongo.ts";
import {
  debianPostgres,
  launchPgBouncer,
  launchPostgres,
  postgresBeside,
  postgresInDebian,
  type PostgresPrograms,
  postgresVersion,
} from "./postgres.ts";
import { launchPostgresPair } from "./postgres-pair.ts";
import { launchRedis } from "./redis.ts";
import { redisVersion } from "./redis-client.ts";
import { launchRedisCluster } from "./redis-cluster.ts";
import { launchRedisSentinel } from "./redis-sentinel.ts";
import { answersHttp, launchMinio, launchVersityGateway } from "./s3-folder-servers.ts";
import type { OwnServer, RunningServer, ServerName } from "./server.ts";
import type { ServerDefinition } from "./server-definition.ts";
import { localProgram, type ServerProgram } from "./server-program.ts";
import type { ServerScope } from "./server-scope.ts";

const REDIS: ProgramSources = {
  variable: "TIDEMARK_TEST_REDIS_BINARY",
  onPath: "redis-server",
  image: { name: "redis:7.0", program: "redis-server" },
  target: "redis",
};

/** Every server that tests can ask for. */
export const serverDefinitions: Readonly<Record<ServerName, ServerDefinition>> = {
  redis: redisDefinition("redis", "TIDEMARK_TEST_REDIS_URL", "alone", REDIS, (program, scope) =>
    launchRedis("redis", program, scope),
  ),
  "redis-newest": redisDefinition(
    "redis-newest",
    "TIDEMARK_TEST_REDIS_NEWEST_URL",
    "alone",
    {
      variable: "TIDEMARK_TEST_REDIS_NEWEST_BINARY",
      image: { name: "redis:8", program: "redis-server" },
      debian: "/usr/bin/redis-server",
      target: "sid",
    },
    (program, scope) => launchRedis("redis-newest", program, scope),
  ),
  valkey: redisDefinition(
    "valkey",
    "TIDEMARK_TEST_VALKEY_URL",
    "alone",
    {
      variable: "TIDEMARK_TEST_VALKEY_BINARY",
      onPath: "valkey-server",
      image: { name: "valkey/valkey:9", program: "valkey-server" },
      debian: "/usr/bin/valkey-server",
      target: "sid",
    },
    (program, scope) => launchRedis("valkey", program, scope),
  ),
  "redis-cluster": redisDefinition(
    "redis-cluster",
    "TIDEMARK_TEST_REDIS_CLUSTER_URL",
    "cluster",
    REDIS,
    launchRedisCluster,
  ),
  "redis-sentinel": redisDefinition(
    "redis-sentinel",
    "TIDEMARK_TEST_REDIS_SENTINEL_URL",
    "Sentinel",
    REDIS,
    launchRedisSentinel,
  ),
  mongo: {
    urlVariable: "TIDEMARK_TEST_MONGODB_URL",
    describe: async (url) => ({ name: "mongo", version: await mongoVersion(url), url, urls: [url] }),
    find: findMongo,
  },
  postgres: postgresDefinition("postgres", (urlVariable) => {
    const programs = findPostgres(urlVariable);
    return typeof programs === "string" ? programs : (scope) => launchPostgres("postgres", programs, scope);
  }),
  "postgres-newest": postgresDefinition("postgres-newest", (urlVariable) => {
    const programs = findNewestPostgres(urlVariable);
    return typeof programs === "string" ? programs : (scope) => launchPostgres("postgres-newest", programs, scope);
  }),
  pgbouncer: postgresDefinition("pgbouncer", (urlVariable) => {
    const [programs, pooler] = [findPostgres(urlVariable), findOnPath("pgbouncer")];
    if (typeof programs === "string") return programs;
    if (pooler === undefined) return howToGet("postgres", urlVariable);
    return (scope) => launchPgBouncer(pooler, programs, scope);
  }),
  "postgres-pair": postgresDefinition("postgres-pair", (urlVariable) => {
    const programs = findPostgres(urlVariable);
    return typeof programs === "string" ? programs : (scope) => launchPostgresPair(programs, scope);
  }),
  minio: s3Definition("minio", "MinIO", launchMinio),
  versitygw: s3Definition("versitygw", "Versity gateway", launchVersityGateway),
  ceph: {
    ...s3Definition("ceph", "Ceph RADOS Gateway", launchMinio),
    find: () => (cephIsInstalled() ? launchCeph : howToGet("ceph", "TIDEMARK_TEST_CEPH_URL")),
  },
  kafka: kafkaDefinition("kafka", 1, "TIDEMARK_TEST_KAFKA_URL"),
  "kafka-cluster": kafkaDefinition("kafka-cluster", 3, "TIDEMARK_TEST_KAFKA_CLUSTER_URL"),
  "kafka-apart": ownKafkaDefinition("TIDEMARK_TEST_KAFKA_APART_URL", launchKafkaApart),
  "kafka-secure": ownKafkaDefinition("TIDEMARK_TEST_KAFKA_SECURE_URL", launchSecureKafka),
};

/** Of a kind that tests only start themselves. */
function ownKafkaDefinition(
  urlVariable: string,
  launch: (program: KafkaProgram, scope: ServerScope) => Promise<OwnServer>,
): ServerDefinition {
  return {
    ...kafkaDefinition("kafka", 1, urlVariable),
    find() {
      const program = findKafka(urlVariable);
      return typeof program === "string" ? program : (scope) => launch(program, scope);
    },
  };
}

function kafkaDefinition(name: "kafka" | "kafka-cluster", brokers: 1 | 3, urlVariable: string): ServerDefinition {
  return {
    urlVariable,
    async describe(given): Promise<RunningServer> {
      const urls = given.split(",").map((url) => (url.includes("://") ? url : `kafka://${url}`));
      const [url = ""] = urls;
      const count = await countBrokers(url);
      // A broker does not tell its version to whoever asks.
      return {
        name,
        version: `Apache Kafka of ${urlVariable}, ${count === 1 ? "alone" : `cluster of ${count}`}`,
        url,
        urls,
      };
    },
    find() {
      const program = findKafka(urlVariable);
      return typeof program === "string" ? program : (scope) => launchKafka(name, brokers, program, scope);
    },
  };
}

/** A real one first; else FerretDB, which has no transactions. */
function findMongo(): ((scope: ServerScope) => Promise<OwnServer>) | string {
  const variable = "TIDEMARK_TEST_MONGODB_BINARY";
  const urlVariable = "TIDEMARK_TEST_MONGODB_URL";
  const image = { name: "mongo:8", program: "mongod" };
  const mongod = findServerProgram({ variable, urlVariable, onPath: "mongod", image, target: "ferretdb sid" });
  if (typeof mongod !== "string") return (scope) => launchMongod(mongod, scope);
  // What was named is meant.
  if (process.env[variable] !== undefined) return mongod;
  const ferretDb = findOnPath("ferretdb") ?? findInCache("ferretdb");
  const debian = findDebianFolder();
  if (ferretDb === undefined || debian === undefined) return mongod;
  if (!canEnter()) return "the engine that the install script made for it runs as root only";
  return (scope) => launchFerretDb(localProgram(ferretDb), debian, scope);
}

function postgresDefinition(
  name: "postgres" | "postgres-newest" | "pgbouncer" | "postgres-pair",
  find: (urlVariable: string) => ((scope: ServerScope) => Promise<OwnServer>) | string,
): ServerDefinition {
  const urlVariable = `TIDEMARK_TEST_${name.toUpperCase().replace("-", "_")}_URL`;
  return {
    urlVariable,
    async describe(url): Promise<RunningServer> {
      const behind = name === "pgbouncer" ? " behind PgBouncer" : "";
      return { name, version: `${await postgresVersion(url)}${behind}`, url, urls: [url] };
    },
    find: () => find(urlVariable),
  };
}

/** Debian's, or whatever PostgreSQL there is. */
function findPostgres(urlVariable: string): PostgresPrograms | string {
  const variable = "TIDEMARK_TEST_POSTGRES_BINARY";
  const named = process.env[variable];
  const path = named === undefined ? (debianPostgres() ?? findOnPath("postgres")) : findProgram(named);
  if (path !== undefined) return postgresBeside(path);
  if (named !== undefined) return `${variable} is ${JSON.stringify(named)}, which is no program`;
  return howToGet("postgres", urlVariable, variable);
}

/** That of Debian's unstable suite. */
function findNewestPostgres(urlVariable: string): PostgresPrograms | string {
  const variable = "TIDEMARK_TEST_POSTGRES_NEWEST_BINARY";
  const named = process.env[variable];
  if (named !== undefined) {
    const path = findProgram(named);
    return path === undefined ? `${variable} is ${JSON.stringify(named)}, which is no program` : postgresBeside(path);
  }
  const debian = findDebianFolder();
  if (debian === undefined) return howToGet("sid", urlVariable, variable);
  return canEnter() ? postgresInDebian(debian) : "what the install script made for it runs as root only";
}

function s3Definition(
  name: "minio" | "versitygw" | "ceph",
  label: string,
  launch: (program: ServerProgram, scope: ServerScope) => Promise<OwnServer>,
): ServerDefinition {
  const prefix = `TIDEMARK_TEST_${name.toUpperCase()}`;
  const urlVariable = `${prefix}_URL`;
  return {
    urlVariable,
    async describe(given): Promise<RunningServer> {
      const url = new URL(given);
      const endpoint = url.origin;
      await answersHttp(endpoint);
      const s3 = {
        endpoint,
        region: url.searchParams.get("region") ?? "us-east-1",
        accessKeyId: decodeURIComponent(url.username),
        secretAccessKey: decodeURIComponent(url.password),
      };
      // None of them tells its version to whoever asks.
      return { name, version: `${label} of ${urlVariable}`, url: endpoint, urls: [endpoint], s3 };
    },
    find() {
      const sources = { variable: `${prefix}_BINARY`, urlVariable, onPath: name, cached: name, target: name };
      const program = findServerProgram(sources);
      return typeof program === "string" ? program : (scope) => launch(program, scope);
    },
  };
}

function redisDefinition(
  name: ServerName,
  urlVariable: string,
  kind: "alone" | "cluster" | "Sentinel",
  sources: ProgramSources,
  launch: (program: ServerProgram, scope: ServerScope) => Promise<OwnServer>,
): ServerDefinition {
  return {
    urlVariable,
    async describe(urls): Promise<RunningServer> {
      const [url = "", ...others] = urls.split(",");
      const version = await redisVersion(url);
      return { name, version: `${version}${kind === "alone" ? " " : ", "}${kind}`, url, urls: [url, ...others] };
    },
    find() {
      const program = findServerProgram({ ...sources, urlVariable });
      return typeof program === "string" ? program : (scope) => launch(program, scope);
    },
  };
}
