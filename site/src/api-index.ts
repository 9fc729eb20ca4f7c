import type { DefaultTheme } from "vitepress";

/** What the API's first page says of a module. */
interface ModulePurpose {
  readonly purpose: string;
  /** The exports that one begins with. */
  readonly begin: readonly string[];
  /** The page that leads through it. */
  readonly guide: readonly [text: string, link: string];
}

/** By what the modules are imported as, in the order of a reader's need. */
const MODULES: Readonly<Record<string, ModulePurpose>> = {
  "@tidemark/core": {
    purpose:
      "Reads a log and keeps its position: the consumer, the session for other clients, the errors, all interfaces",
    begin: ["createConsumer", "openOffsetSession", "whereToRead"],
    guide: ["consumer and session", "/packages/core"],
  },
  "@tidemark/source-kafka": {
    purpose: "Reads and writes topics of Kafka",
    begin: ["openKafkaLog"],
    guide: ["Kafka", "/packages/source-kafka"],
  },
  "@tidemark/source-local": {
    purpose: "A log in one SQLite file, without a server: for one machine, and for tests",
    begin: ["openLocalLog"],
    guide: ["local file", "/packages/source-local"],
  },
  "@tidemark/store-postgres": {
    purpose: "Keeps positions in PostgreSQL, in one transaction with your results",
    begin: ["openPostgresStore"],
    guide: ["PostgreSQL", "/packages/store-postgres"],
  },
  "@tidemark/store-sqlite": {
    purpose: "Keeps positions in a SQLite file, in one transaction with your results",
    begin: ["openSqliteStore"],
    guide: ["SQLite", "/packages/store-sqlite"],
  },
  "@tidemark/store-mongo": {
    purpose: "Keeps positions in MongoDB, in one transaction with your results",
    begin: ["openMongoStore"],
    guide: ["MongoDB", "/packages/store-mongo"],
  },
  "@tidemark/store-redis": {
    purpose: "Keeps positions in Redis or Valkey: alone, behind Sentinel, or in a Cluster",
    begin: ["openRedisStore"],
    guide: ["Redis", "/packages/store-redis"],
  },
  "@tidemark/store-s3": {
    purpose: "Keeps positions in a bucket of S3, or of a server that speaks its protocol",
    begin: ["openS3Store"],
    guide: ["S3", "/packages/store-s3"],
  },
  "@tidemark/store-memory": {
    purpose: "Keeps positions in memory: for tests",
    begin: ["createMemoryStore"],
    guide: ["memory", "/packages/store-memory"],
  },
  "@tidemark/reset-policies": {
    purpose: "Decides where to continue when the log no longer has the position",
    begin: ["earliest", "nearest", "byDuration"],
    guide: ["reset policies", "/packages/reset-policies"],
  },
  "@tidemark/core/positions": {
    purpose: "Moves and imports positions from a program, as the command does",
    begin: ["planReset", "applyReset", "applyImport"],
    guide: ["moving positions", "/moving-positions"],
  },
  "@tidemark/cli": {
    purpose: "Runs the tidemark command from a program of yours",
    begin: ["runTidemark"],
    guide: ["the command", "/packages/cli"],
  },
  "@tidemark/core/driver": {
    purpose: "For authors of stores and logs: makes a store out of four verbs",
    begin: ["createOffsetStore", "OffsetStoreDriver"],
    guide: ["writing a store", "/writing-a-store"],
  },
  "@tidemark/core/conformance": {
    purpose: "For authors of stores, logs and policies: the tests that yours has to pass",
    begin: ["testOffsetStore", "testOffsetStoreDriver", "testLogSource"],
    guide: ["writing a store", "/writing-a-store#8-the-harness"],
  },
  "@tidemark/core/conformance/model": {
    purpose: "For authors of stores: random calls, compared with a model; needs fast-check",
    begin: ["testStoreModel"],
    guide: ["testing a store", "/packages/core#testing-a-store-of-your-own"],
  },
};

/**
 * The first page of the API: what each module is for, where to begin in it, and the page that leads through it.
 *
 * @param modules - The modules as they stand in the sidebar, with their exports.
 * @throws Error if a module is not described, or an export that one is to begin with is not there.
 */
export function apiIndex(modules: readonly DefaultTheme.SidebarItem[]): string {
  const items = new Map(modules.map((module) => [module.text ?? "", module]));
  const unknown = [...items.keys()].filter((name) => !(name in MODULES));
  if (unknown.length > 0)
    throw new Error(`site/src/api-index.ts does not say what these are for: ${unknown.join(", ")}`);
  const rows = Object.entries(MODULES).map(
    ([
      name,
      {
        purpose,
        begin,
        guide: [text, link],
      },
    ]) => {
      const module = items.get(name);
      if (module?.link === undefined) throw new Error(`${name}, in site/src/api-index.ts, is no module of a package`);
      const links = begin.map((wanted) => `[\`${wanted}\`](${linkTo(wanted, exportsOf(module), name)})`);
      return `| [\`${name}\`](${module.link}) | ${purpose}. Guide: [${text}](${link}) | ${links.join(", ")} |`;
    },
  );
  return [
    "# API",
    "",
    "Every export of every package, with its comment. To learn how to use them, read the guide first.",
    "All [options](/options), with their defaults, are on one page.",
    "",
    "| import | what it is for | begin with |",
    "| --- | --- | --- |",
    ...rows,
    "",
  ].join("\n");
}

function exportsOf({ items = [] }: DefaultTheme.SidebarItem): readonly DefaultTheme.SidebarItem[] {
  return items.flatMap((kind) => kind.items ?? []);
}

function linkTo(name: string, exports: readonly DefaultTheme.SidebarItem[], module: string): string {
  const link = exports.find(({ text }) => text === name)?.link;
  if (link === undefined) throw new Error(`${module} has no export ${name}, which site/src/api-index.ts begins with`);
  return link;
}
