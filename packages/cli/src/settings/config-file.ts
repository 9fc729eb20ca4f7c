import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { messageOf, oneLine } from "../failure/report-failure.ts";
import { UsageError } from "../failure/usage-error.ts";
import { isOutputFormat, outputFormats, type OutputFormat } from "../output/output-format.ts";
import { learnSecretFields, learnSecrets } from "../text/secrets.ts";

/** What a config file can set. */
export interface ConfigFile {
  readonly store?: string;
  readonly namespace?: string;
  readonly log?: string;
  readonly output?: OutputFormat;
  readonly plugins?: readonly string[];
  /** What does not fit into a log's URL, by its scheme. */
  readonly logOptions?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** A config file, and the folder that it is in. */
export interface FoundConfigFile extends ConfigFile {
  readonly folder?: string;
}

const FILE_NAMES = ["tidemark.json", "tidemark.yaml", "tidemark.yml"];
const FIELDS = ["store", "namespace", "log", "logOptions", "output", "plugins"];

/**
 * Reads the config file: the one named, else the first that is there in the folders.
 *
 * @throws UsageError if the one named cannot be read, or any has what it should not have.
 */
export async function readConfigFile(named: string | undefined, folders: readonly string[]): Promise<FoundConfigFile> {
  const path = named === undefined ? find(folders) : resolve(named);
  if (path === undefined) return {};
  const content = await parse(await readText(path), path);
  return { ...check(content ?? {}, path), folder: dirname(path) };
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    throw new UsageError(`config file ${path} cannot be read: ${oneLine(messageOf(error))}`, { cause: error });
  }
}

/** What a file says. Of a parser's error only the place is kept, and no cause: the rest quotes the file, which may hold passwords. */
async function parse(text: string, path: string): Promise<unknown> {
  learnSecrets(text);
  const isJson = path.endsWith(".json");
  try {
    const content = isJson ? JSON.parse(text) : await parseYaml(text);
    learnSecretFields(content);
    return content;
  } catch (error) {
    throw new UsageError(`config file ${path} cannot be read: no valid ${isJson ? "JSON" : "YAML"}${placeOf(error)}`);
  }
}

/** A warning is an error, too: of `!word` for example the text is empty. */
async function parseYaml(text: string): Promise<unknown> {
  const document = (await import("yaml")).parseDocument(text, { logLevel: "silent" });
  const [problem] = [...document.errors, ...document.warnings];
  if (problem !== undefined) throw problem;
  return document.toJS() as unknown;
}

function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { code, linePos } = error as { code?: unknown; linePos?: readonly [{ readonly line: number }] };
  if (linePos !== undefined) return ` in line ${linePos[0].line} (${String(code)})`;
  const [, line] = / at position \d+ \(line (\d+) column \d+\)$/.exec(error.message) ?? [];
  return line === undefined ? "" : ` in line ${line}`;
}

function find(folders: readonly string[]): string | undefined {
  return folders.flatMap((folder) => FILE_NAMES.map((name) => join(folder, name))).find((path) => existsSync(path));
}

function check(content: unknown, path: string): ConfigFile {
  if (!isObject(content)) {
    throw new UsageError(`config file ${path} must contain an object with ${FIELDS.join(", ")}`);
  }
  // A misspelt field that is passed over would send the command to the wrong store.
  const strange = Object.keys(content).find((field) => !FIELDS.includes(field));
  if (strange !== undefined) {
    throw new UsageError(`config file ${path} has ${JSON.stringify(strange)}; known are ${FIELDS.join(", ")}`);
  }
  const { store, namespace, log, logOptions, output, plugins } = content as Record<string, unknown>;
  for (const [field, value] of Object.entries({ store, namespace, log })) {
    if (value !== undefined && typeof value !== "string") {
      throw new UsageError(`config file ${path}: ${field} must be a string`);
    }
  }
  if (output !== undefined && !isOutputFormat(output)) {
    throw new UsageError(`config file ${path}: output must be one of ${outputFormats.join(", ")}`);
  }
  if (plugins !== undefined && !(Array.isArray(plugins) && plugins.every((plugin) => typeof plugin === "string"))) {
    throw new UsageError(`config file ${path}: plugins must be an array of package names`);
  }
  if (logOptions !== undefined && !(isObject(logOptions) && Object.values(logOptions).every(isObject))) {
    throw new UsageError(`config file ${path}: logOptions must contain an object for each scheme, for example kafka`);
  }
  return content;
}

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
