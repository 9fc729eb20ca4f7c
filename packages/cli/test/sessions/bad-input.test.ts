import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { withoutPackages } from "../support/without-packages.ts";
import { createWorkspace, type Workspace } from "../support/workspace.ts";
import { failureLine } from "../support/failure-line.ts";

let workspace: Workspace;

beforeAll(async () => {
  workspace = await createWorkspace();
  const { folder, out } = workspace;
  await out("topic create t --partitions 2");
  await out("produce t --partition 0", "a\nb\n");
  await out("consume t -c stored --until-end");
  await mkdir(join(folder, "a-folder"));
  await writeFile(join(folder, "corrupt.db"), "this is no database, and long enough to be looked at. ".repeat(200));
  await writeFile(join(folder, "lacking.mjs"), 'export const policy = { name: "lacking" };\n');
  await writeFile(join(folder, "misspelt.json"), '{ "stor": "memory:" }');
  await writeFile(join(folder, "surrogate.json"), '{ "namespace": "\\ud800" }');
  await writeFile(join(folder, "broken.yaml"), "store: [");
  await writeFile(join(folder, "three.csv"), "t,0,1\n");
  await writeFile(join(folder, "four.csv"), "c,t,0,1\n");
  await writeFile(join(folder, "one.jsonl"), '{"consumer":"c","topic":"t","partition":0,"nextOffset":"1"}\n');
});

afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
});

const LONG = "x".repeat(256);

// What is typed, how it ends, and what is said. Every message is one line that begins with the command's name.
const usage: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [["bogus"], /unknown command 'bogus'$/],
  [["consumer", "rest", "stored"], /unknown command 'rest' \(Did you mean reset\?\)$/],
  [["topic", "list", "--bogus"], /unknown option '--bogus'$/],
  [["consumer", "reset", "stored", "--to-erliest"], /unknown option '--to-erliest' \(Did you mean --to-earliest\?\)$/],
  [["topic", "create"], /missing required argument 'name'/],
  [
    ["consume", "t", "--store", "foo:bar", "-c", "c1"],
    /unknown store scheme "foo:": known are sqlite:, memory:, postgres:/,
  ],
  // Not told to install what a slip of the hand names: whose package that is, nobody knows.
  [
    ["consumer", "list", "--store", "reddis://localhost"],
    /scheme "reddis:": did you mean redis:\? known are [^;]*; for another one name its package with --plugin$/,
  ],
  [["consumer", "list", "--store", "mongo://localhost"], /scheme "mongo:": did you mean mongodb:\?/],
  [["consume", "t", "--log", "foo:bar"], /unknown log scheme "foo:": known are local:, kafka:/],
  [["consumer", "list", "--store", "just-a-file.db"], /must be a URL that begins with a scheme: sqlite:FILE/],
  [["consumer", "list", "--store", "sqlite:"], /names no file/],
  [["consumer", "list", "--store", "memory:", "--namespace", LONG], /namespace is 256 bytes long/],
  [["consumer", "list", "--store", "memory:", "--config", "surrogate.json"], /namespace .* unpaired surrogate/],
  [["topic", "create", ""], /A name must not be empty/],
  [["topic", "create", LONG], /at most 255 bytes in UTF-8; this one has 256/],
  [["consume", "t", "-c", ""], /A name must not be empty/],
  [["consume", "t", "-c", "é".repeat(128)], /at most 255 bytes in UTF-8; this one has 256/],
  [["consumer", "delete", LONG], /at most 255 bytes/],
  [["consumer", "delete", "stored", "-p", "0", "-p", "1"], /'-p, .* '1' is invalid\. It was given twice: .* takes one/],
  [["consumer", "delete", "stored", "-t", "t", "-t", "u"], /'-t, .* 'u' is invalid\. It was given twice: .* takes one/],
  [["consumer", "set", "stored", "--ttl", "1h", "-p", "0", "-p", "1"], /'-p, .* It was given twice/],
  [["consumer", "list", "-t", "t", "-t", "u"], /'-t, .* It was given twice/],
  [["consumer", "describe", "stored", "-t", "t", "-t", "u"], /'-t, .* It was given twice/],
  [["produce", "t", "-p", "0", "-p", "1"], /'-p, .* It was given twice/],
  [["topic", "create", "n", "--partitions", "0"], /whole number from 1/],
  [["topic", "create", "n", "--partitions", "1.5"], /whole number from 1/],
  [["topic", "create", "n", "--consumer-ttl", "-5s"], /A duration cannot be negative/],
  [["topic", "create", "n", "--retention-bytes", "many"], /number of bytes like/],
  [["topic", "alter", "t"], /needs something to change/],
  [["consume", "t", "-c", "c1", "--ttl", "0s"], /longer than 0/],
  [["consume", "t", "-c", "c1", "--ttl", "-1h"], /cannot be negative/],
  [["consume", "t", "-c", "c1", "--ttl", "101w9999999d"], /At most 100 years/],
  [["consumer", "set", "stored", "--ttl", "12"], /Give the unit too, for example 12s/],
  [["consumer", "set", "stored"], /required option '--ttl <duration>' not specified/],
  [["consume", "t", "-p", "-1"], /whole number from 0/],
  [["consume", "t", "-p", "2147483648"], /whole number from 0 to 2147483647/],
  [["consume", "t", "-p", "0", "--all"], /--all and --partition exclude each other/],
  [["consume", "t", "--ttl", "1h"], /--ttl needs --consumer/],
  [["consume", "t", "--flush", "10"], /--flush needs --consumer/],
  [["consume", "t", "-p", "0", "-c", "c1", "--flush", "30d"], /flushInterval must be from 0 to 2147483647 ms/],
  [["monitor", "--interval", "25d"], /'--interval <duration>' argument '25d' is invalid\. It must be at most 24d\./],
  [["topic", "alter", "t", "--partitions", "10001"], /partitions must be a whole number from 1 to 10000, not 10001/],
  [
    ["topic", "alter", "t", "--consumer-ttl", "1h", "--partitions", "10001"],
    /partitions must be a whole number from 1 to 10000, not 10001/,
  ],
  [["consume", "t", "--start", "-5"], /an offset cannot be negative; .* end-5/],
  [["consume", "t", "--start", "9223372036854775808"], /at most 2\^63 - 1/],
  [["consume", "t", "--start", "end+1"], /lies outside of any log/],
  [["consume", "t", "--start", "2026-02-31T25:00:00Z"], /is not a date/],
  [["consume", "t", "--start", "soon"], /"soon" is not known: known are 42 .*, beginning, end, .*, earliest, latest/],
  [["consume", "t", "--reset-policy", "soon"], /"soon" is not known: known are earliest, latest/],
  [["consume", "t", "--reset-policy", "by_duration:soon"], /--reset-policy: /],
  [
    ["consume", "t", "-p", "0", "--reset-policy", "./lacking.mjs"],
    /policy module "\.\/lacking\.mjs" lacks timestamp\(\)/,
  ],
  [
    ["consume", "t", "-p", "0", "--reset-policy", "./not-there.mjs"],
    /policy module "\.\/not-there\.mjs" could not be loaded: Cannot find module '[^']*not-there\.mjs'$/,
  ],
  [
    ["consume", "t", "-p", "0", "--reset-policy", "not-there.js"],
    /policy module "not-there\.js" could not be loaded: Cannot find module 'not-there\.js'$/,
  ],
  [["topic", "create", "u", "--partitions", "10001"], /partitions must be a whole number from 1 to 10000, not 10001/],
  [["consumer", "list", "--store", "sqlite://user:secret@host/x"], /the URL names a host, and SQLite has none/],
  [["topic", "list", "--log", "local://user:secret@host/x"], /the URL names a host, and a local log has none/],
  [["topic", "list", "-O", "xml"], /Allowed choices are table, json, yaml/],
  [["topic", "list", "--config", "not-there.json"], /config file .* cannot be read/],
  [["topic", "list", "--config", "broken.yaml"], /config file .* cannot be read/],
  [
    ["topic", "list", "--config", "misspelt.json"],
    /has "stor"; known are store, namespace, log, logOptions, output, plugins/,
  ],
  [["topic", "list", "--log", "foo:", "--plugin", "not-there"], /plugin "not-there" is not installed/],
  [["produce", "t", "--key-separator", ""], /It must not be empty/],
  [["consumer", "reset"], /missing required argument 'name'/],
  [["consumer", "reset", "stored"], /needs one of --to-earliest, --to-latest, --to-current, --to-offset, /],
  [["consumer", "reset", "stored", "--execute"], /needs one of --to-earliest/],
  [
    ["consumer", "reset", "stored", "--to-earliest", "--shift-by", "5"],
    /--to-earliest and --shift-by exclude each other/,
  ],
  [["consumer", "reset", "stored", "--to-offset", "0", "--by-duration", "1h"], /--to-offset and --by-duration exclude/],
  [["consumer", "reset", "stored", "--undo", "--to-current"], /--to-current and --undo exclude each other/],
  [["consumer", "reset", "stored", "--undo", "--shift-by", "1"], /--shift-by and --undo exclude each other/],
  [["consumer", "reset", "", "--to-latest"], /A name must not be empty/],
  [["consumer", "reset", "stored", "-t", LONG, "--to-latest"], /at most 255 bytes/],
  [["consumer", "reset", "stored", "-p", "x", "--to-latest"], /whole number from 0/],
  [["consumer", "reset", "stored", "--to-offset", "-1"], /It must be a whole number from 0 to 2\^63 - 1/],
  [["consumer", "reset", "stored", "--to-offset", "9223372036854775808"], /from 0 to 2\^63 - 1/],
  [["consumer", "reset", "stored", "--to-offset", "1e3"], /from 0 to 2\^63 - 1/],
  [["consumer", "reset", "stored", "--to-offset", "9".repeat(100_000)], /from 0 to 2\^63 - 1/],
  [["consumer", "reset", "stored", "--shift-by", "five"], /at most 2\^63 - 1 on or back: 10 or -10/],
  [["consumer", "reset", "stored", "--shift-by", "-9223372036854775808"], /at most 2\^63 - 1 on or back/],
  [["consumer", "reset", "stored", "--by-duration", "-PT1H"], /A duration cannot be negative/],
  [["consumer", "reset", "stored", "--by-duration", "PT0S"], /longer than 0/],
  [["consumer", "reset", "stored", "--by-duration", "P1M"], /Write a duration like 24h/],
  [["consumer", "reset", "stored", "--by-duration", "24"], /Give the unit too, for example 24s/],
  [["consumer", "reset", "stored", "--to-datetime", ""], /It must not be empty/],
  [
    ["consumer", "reset", "stored", "--to-datetime", "2026-02-30T00:00:00Z"],
    /--to-datetime "2026-02-30T00:00:00Z" is not a date/,
  ],
  [["consumer", "reset", "stored", "--to-datetime", "yesterday"], /is not a date: write it like 2026-01-31T08:00:00Z/],
  [["consumer", "export", ""], /A name must not be empty/],
  [["consumer", "export", "-O", "yaml"], /one JSON document a line, or --csv, not yaml/],
  [["consumer", "import", "a", "b"], /too many arguments/],
  [["consumer", "import", "three.csv"], /have no consumer: give its name with --consumer/],
  [["consumer", "import", "four.csv", "-c", "c1"], /the input names its consumers itself/],
  [["consumer", "import", "one.jsonl", "-c", "c1"], /--consumer is for CSV/],
];

const failures: readonly (readonly [args: readonly string[], message: RegExp])[] = [
  [["consume", "nope"], /there is no topic "nope"; create it with/],
  [["consume", "T"], /there is no topic "T"; did you mean "t"\?/],
  [["topic", "alter", "tt", "--partitions", "3"], /there is no topic "tt"; did you mean "t"\?/],
  [["produce", "nope"], /there is no topic "nope"/],
  [["topic", "describe", "nope"], /there is no topic "nope"/],
  [["topic", "alter", "nope", "--partitions", "2"], /there is no topic "nope"/],
  [["topic", "create", "t"], /topic "t" already exists/],
  [["topic", "alter", "t", "--partitions", "1"], /can only grow/],
  [["consume", "t", "-p", "7"], /topic "t" has no partition 7: it has partitions 0 to 1/],
  [["produce", "t", "-p", "2"], /topic "t" has no partition 2/],
  [["consumer", "describe", "nobody"], /consumer "nobody" has no position/],
  [["consumer", "list", "--store", "sqlite:corrupt.db"], /corrupt\.db" is not a SQLite database/],
  [["topic", "list", "--log", "local:corrupt.db"], /corrupt\.db" is not a SQLite file/],
  [["consumer", "list", "--store", "sqlite:a-folder"], /a-folder/],
  [["topic", "list", "--log", "local:a-folder"], /a-folder/],
  [["consumer", "list", "--store", "sqlite:mis/typed/x.db"], /typed" does not exist; create it or check the path$/],
  [["topic", "list", "--log", "local:mis/typed/x.db"], /typed" does not exist; create it or check the path$/],
  [["consume", "t", "-p", "0", "--start", "99", "--reset-policy", "none", "--until-end"], /offset 99 .* out of range/],
  [["consumer", "reset", "nobody", "--to-latest"], /consumer "nobody" has no position; to give it one, name the topic/],
  [["consumer", "reset", "stored", "-t", "nope", "--to-latest"], /there is no topic "nope"/],
  [
    ["consumer", "reset", "stored", "-t", "t", "-p", "7", "--to-latest"],
    /topic "t" has no partition 7: it has partitions 0 to 1/,
  ],
  [["consumer", "reset", "stored", "-p", "1", "--to-latest"], /"stored" has no position on partition "1"/],
  [
    ["consumer", "reset", "stored", "-t", "t", "--shift-by", "1"],
    /has no position on topic "t" partition "1", so there is nothing to shift/,
  ],
  [["consumer", "reset", "stored", "--to-latest", "--log", "local:corrupt.db"], /corrupt\.db" is not a SQLite file/],
  [
    ["consumer", "reset", "stored", "--to-latest", "--log", "local:other.db"],
    /there is no log at local:other\.db; check the name/,
  ],
  [
    ["consumer", "reset", "stored", "--to-latest", "--store", "sqlite:corrupt.db"],
    /corrupt\.db" is not a SQLite database/,
  ],
  [["consumer", "export", "nobody"], /consumer "nobody" has no position/],
  [["consumer", "export", "--store", "sqlite:corrupt.db"], /corrupt\.db" is not a SQLite database/],
  [["consumer", "import"], /the input has no positions/],
  [["consumer", "import", "nope.jsonl"], /the input cannot be read: .*nope\.jsonl/],
  [["consumer", "import", "a-folder"], /the input cannot be read: .*EISDIR/],
  [["consumer", "import", "corrupt.db", "-c", "c1"], /line 1 of the input: neither a JSON document nor/],
  [["consumer", "import", "one.jsonl", "--store", "sqlite:corrupt.db"], /corrupt\.db" is not a SQLite database/],
];

describe.each([
  { kind: "wrong usage", code: 2, table: usage },
  { kind: "a failure", code: 1, table: failures },
])("$kind exits with $code and says why in one line", ({ code, table }) => {
  test.each(table)("%j", async (args, message) => {
    const finished = await workspace.run(args);
    expect(failureLine(finished)).toMatch(message);
    expect(finished).toMatchObject({ code, stdout: "" });
  });
});

test.each([
  ["postgres://user:secret@host/db", "@tidemark/store-postgres pg"],
  ["postgresql://user:secret@host/db", "@tidemark/store-postgres pg"],
  ["redis://user:secret@host", "@tidemark/store-redis redis"],
  ["rediss://user:secret@host", "@tidemark/store-redis redis"],
  ["mongodb://user:secret@host/db", "@tidemark/store-mongo mongodb"],
  ["mongodb+srv://user:secret@host/db", "@tidemark/store-mongo mongodb"],
  ["s3://bucket/prefix", "@tidemark/store-s3 @aws-sdk/client-s3"],
])("the store of %s is not installed: what to install is said", async (store, packages) => {
  const environment = withoutPackages(
    "@tidemark/store-postgres",
    "@tidemark/store-redis",
    "@tidemark/store-mongo",
    "@tidemark/store-s3",
  );
  const finished = await workspace.run(["consume", "t", "-c", "c1", "--store", store], { environment });
  expect(finished).toEqual({
    code: 1,
    stdout: "",
    stderr: `tidemark: store URLs with ${store.split("//")[0]} need the package ${packages.split(" ")[0]}: run \`npm install ${packages}\`\n`,
  });
});

test("the log of kafka:// is not installed: what to install is said", async () => {
  const environment = withoutPackages("@tidemark/source-kafka");
  expect(await workspace.run(["topic", "list", "--log", "kafka://host:9092"], { environment })).toEqual({
    code: 1,
    stdout: "",
    stderr:
      "tidemark: log URLs with kafka: need the package @tidemark/source-kafka: run `npm install @tidemark/source-kafka`\n",
  });
});

test.each([
  ["postgres://user:secret@host/db", "@tidemark/store-postgres", "pg"],
  ["redis://user:secret@host", "@tidemark/store-redis", "redis"],
  ["mongodb://user:secret@host/db", "@tidemark/store-mongo", "mongodb"],
  ["s3://bucket/prefix", "@tidemark/store-s3", "@aws-sdk/client-s3"],
])("the client that the store of %s works on is not installed: both are named", async (store, name, client) => {
  const environment = withoutPackages(client);
  const finished = await workspace.run(["consume", "t", "-c", "c1", "--store", store], { environment });
  expect(finished).toEqual({
    code: 1,
    stdout: "",
    stderr: `tidemark: "${name}" needs the package ${client}, which is not installed: run \`npm install ${client}\`\n`,
  });
});

test("a password that is typed in the wrong place is not repeated", async () => {
  await writeFile(join(workspace.folder, "leak.json"), '{ "store": "redis://user:secret@host" "log": "x" }');
  await writeFile(join(workspace.folder, "leak.yaml"), "store: redis://user:secret@host: [");
  for (const args of [
    ["redis://user:secret@host"],
    ["topic", "create", "a", "redis://user:secret@host"],
    ["topic", "list", "--stor=redis://user:secret@host"],
    ["topic", "describe", "redis://user:secret@host/x"],
    ["consumer", "list", "--config", "leak.json"],
    ["consumer", "list", "--config", "leak.yaml"],
    ["consumer", "list", "--store", "redis://user:se/secret@host", "--verbose"],
    ["consumer", "list", "--store", "redis://user:secret@host:port", "--verbose"],
    ["consumer", "list", "--store", "mongodb://user:secret@host:port/x?secret=a", "--verbose"],
    ["consumer", "list", "--store", "s3://user:secret@bucket", "--verbose"],
  ]) {
    const finished = await workspace.run(args);
    expect([1, 2], args.join(" ")).toContain(finished.code);
    expect(finished.stdout + finished.stderr, args.join(" ")).not.toContain("secret@");
    expect(finished.stdout + finished.stderr, args.join(" ")).not.toContain(":secret");
  }
});

test.each([
  ["yaml", "password: !Secret1", /: no valid YAML in line 3 \(TAG_RESOLVE_FAILED\)$/],
  ["yaml", "password: !e!Secret1 x", /: no valid YAML in line 3 \(TAG_RESOLVE_FAILED\)$/],
  ["yaml", "password: *Secret1", /: no valid YAML$/],
  ["yaml", "password: |Secret1", /: no valid YAML in line 3 \(UNEXPECTED_TOKEN\)$/],
  ["yaml", 'password: "Secret1', /: no valid YAML in line 4 \(MISSING_CHAR\)$/],
  ["yaml", "password: @Secret1", /: no valid YAML in line 3 \(BAD_SCALAR_START\)$/],
  ["json", '{ "password": Secret1 }', /: no valid JSON$/],
  ["json", '{ "password": "Secret1" "x": 1 }', /: no valid JSON in line 3$/],
])("of a config file that is no %s a line is named and nothing quoted: %s", async (format, field, message) => {
  const file = `quoted.${format}`;
  const text =
    format === "json" ? `{ "logOptions":\n{ "kafka":\n${field} } }` : `logOptions:\n  kafka:\n    ${field}\n`;
  await writeFile(join(workspace.folder, file), text);
  const finished = await workspace.run(["topic", "list", "--config", file]);
  expect(finished.code).toBe(2);
  expect(failureLine(finished)).toMatch(message);
  for (const args of [
    ["topic", "list", "--config", file],
    ["topic", "list", "--config", file, "--verbose"],
  ]) {
    const { stdout, stderr } = await workspace.run(args);
    expect(stdout + stderr).not.toContain("Secret1");
  }
});

test("a password of a log's settings, and that of the environment, is left out wherever it comes back", async () => {
  for (const ca of ["Secret1", "Secret2"]) {
    const kafka = { sasl: "plain", username: "u", password: "Secret1", ca };
    await writeFile(join(workspace.folder, "settings.json"), JSON.stringify({ logOptions: { kafka } }));
    const finished = await workspace.run(["topic", "list", "--log", "kafka://host:1", "--config", "settings.json"], {
      environment: { TIDEMARK_KAFKA_PASSWORD: "Secret2" },
    });
    expect(failureLine(finished)).toBe('ca in a Kafka log\'s settings cannot be read (ENOENT): "***"');
  }
});

test("nothing was lost or made by all this", async () => {
  expect(existsSync(join(workspace.folder, "mis"))).toBe(false);
  expect(JSON.parse(await workspace.out("topic list --all -O json"))).toMatchObject([{ name: "t", partitions: 2 }]);
  expect(JSON.parse(await workspace.out("consumer list --partitions -O json"))).toMatchObject([
    { consumer: "stored", topic: "t", partition: 0, nextOffset: "2" },
  ]);
});

test("a start beyond the end goes to the reset policy, and is said", async () => {
  const finished = await workspace.run(
    "consume t -p 0 -c far --start 99 --reset-policy nearest --until-end".split(" "),
  );
  expect(finished).toEqual({
    code: 0,
    stdout: "",
    stderr:
      'topic "t" partition "0": offset 99 lies beyond the log\'s end at 2; policy nearest continues at 2, the 2 records before it are not read\n' +
      'topic "t" partition "0": consumer "far" has no position yet; starts at 2\n',
  });
});

test("a stored position wins over --start, and it is said", async () => {
  const finished = await workspace.run("consume t -p 0 -c stored --start earliest --until-end".split(" "));
  expect(finished).toEqual({
    code: 0,
    stdout: "",
    stderr:
      'topic "t" partition "0": the stored position 2 is used, and --start earliest is ignored; to start over, delete the position with tidemark consumer delete\n',
  });
});

test("a stack shows only when it is asked for", async () => {
  const verbose = await workspace.run(["topic", "describe", "nope", "--verbose"]);
  expect(verbose.stderr).toMatch(/^tidemark: there is no topic "nope".*\n[^]*\n {4}at /);
  const debug = await workspace.run(["topic", "describe", "nope"], { environment: { DEBUG: "tidemark" } });
  expect(debug.stderr).toMatch(/\n {4}at /);
});
