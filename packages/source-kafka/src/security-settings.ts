import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { KafkaCredential, KafkaSaslOptions } from "./kafka-credentials.ts";
import type { KafkaLogOptions } from "./kafka-log.ts";
import { passwordOfEnvironment } from "./password-of-environment.ts";
import { tokenOfCommand } from "./token-command.ts";

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;
const TEXTS = [
  ...["ca", "cert", "key", "passphrase", "sasl", "username", "password", "passwordFile", "token", "tokenFile"],
] as const;
const NAMES = [...TEXTS, "tls", "tokenCommand", "extensions"] as const;
const WHERE = "a Kafka log's settings";

/** What {@link readSecuritySettings} understands, once it is known to be of the right types. */
interface SecuritySettings {
  readonly tls?: boolean;
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly passphrase?: string;
  readonly sasl?: string;
  readonly username?: string;
  readonly password?: string;
  readonly passwordFile?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly tokenCommand?: readonly string[];
  readonly extensions?: Readonly<Record<string, string>>;
}

/**
 * TLS and credentials from a config file: certificates by the files that they are in, a password or a token as it is, by its
 * file, or by the command that prints it. Files of secrets are read, and the command is run, for each connection. What makes no
 * sense is a `TypeError`; no message repeats a secret.
 */
export async function readSecuritySettings(
  given: Readonly<Record<string, unknown>>,
  folder: string,
): Promise<Pick<KafkaLogOptions, "tls" | "sasl">> {
  const settings = check(given);
  const tls = await readTls(settings, folder);
  const sasl = readSasl(settings, folder);
  return { ...(tls !== undefined && { tls }), ...(sasl !== undefined && { sasl }) };
}

function check(given: Readonly<Record<string, unknown>>): SecuritySettings {
  for (const [name, value] of Object.entries(given)) {
    if (!NAMES.some((known) => known === name)) {
      throw new TypeError(`${WHERE} are ${NAMES.join(", ")}; ${JSON.stringify(name)} is not one of them`);
    }
    if (name === "tls" && typeof value !== "boolean") throw new TypeError(`tls in ${WHERE} must be true or false`);
    if (TEXTS.some((text) => text === name) && (typeof value !== "string" || value === "")) {
      throw new TypeError(`${name} in ${WHERE} must be a string that is not empty`);
    }
  }
  const { tokenCommand, extensions } = given;
  if (tokenCommand !== undefined && !(areTexts(tokenCommand) && tokenCommand.length > 0)) {
    throw new TypeError(`tokenCommand in ${WHERE} must be a list: a program, and its arguments one by one`);
  }
  const isObject = typeof extensions === "object" && extensions !== null && areTexts(Object.values(extensions));
  if (extensions !== undefined && !isObject) throw new TypeError(`extensions in ${WHERE} must be an object of strings`);
  return given;
}

async function readTls(settings: SecuritySettings, folder: string): Promise<KafkaLogOptions["tls"]> {
  const { tls, ca, cert, key, passphrase } = settings;
  if ((cert === undefined) !== (key === undefined)) throw new TypeError(`cert and key in ${WHERE} go together`);
  if (ca === undefined && cert === undefined) return tls;
  if (tls === false) throw new TypeError(`${WHERE} have certificates and tls: false`);
  const [caText, certText, keyText] = await Promise.all([
    readSetting("ca", ca, folder),
    readSetting("cert", cert, folder),
    readSetting("key", key, folder),
  ]);
  return {
    ...(caText !== undefined && { ca: caText }),
    ...(certText !== undefined && { cert: certText }),
    ...(keyText !== undefined && { key: keyText }),
    ...(passphrase !== undefined && { passphrase }),
  };
}

function readSasl(settings: SecuritySettings, folder: string): KafkaSaslOptions | undefined {
  const { username, extensions } = settings;
  const token = oneOf(settings, folder, ["token", "tokenFile", "tokenCommand"]);
  const password = oneOf(settings, folder, ["password", "passwordFile"]);
  const named = settings.sasl?.toUpperCase();
  const mechanism = named ?? (token === undefined ? (username === undefined ? undefined : "PLAIN") : "OAUTHBEARER");
  if (mechanism === undefined) {
    if (password === undefined && extensions === undefined) return undefined;
    throw new TypeError(`${WHERE} have a password or extensions, but no username or token`);
  }
  if (mechanism === "OAUTHBEARER") {
    if (token === undefined)
      throw new TypeError(`sasl: oauthbearer in ${WHERE} needs token, tokenFile or tokenCommand`);
    if (username !== undefined || password !== undefined) {
      throw new TypeError(`${WHERE} have a token, and a username or password beside it`);
    }
    return { mechanism, token, ...(extensions !== undefined && { oauthBearerExtensions: { ...extensions } }) };
  }
  const known = MECHANISMS.find((each) => each === mechanism);
  if (known === undefined) {
    const choices = [...MECHANISMS, "OAUTHBEARER"].join(", ");
    throw new TypeError(`sasl in ${WHERE} must be one of ${choices}`);
  }
  if (token !== undefined) throw new TypeError(`${WHERE} have a token, and sasl is not oauthbearer`);
  const secret = password ?? passwordOfEnvironment();
  if (username === undefined || secret === undefined) {
    throw new TypeError(`sasl in ${WHERE} needs a username, and password, passwordFile or TIDEMARK_KAFKA_PASSWORD`);
  }
  return { mechanism: known, username, password: secret };
}

/** The secret that one of the settings holds, or how to get it. */
function oneOf(
  settings: SecuritySettings,
  folder: string,
  names: readonly (keyof SecuritySettings & ("password" | "passwordFile" | "token" | "tokenFile" | "tokenCommand"))[],
): KafkaCredential | undefined {
  const [name, other] = names.filter((each) => settings[each] !== undefined);
  if (name === undefined) return undefined;
  if (other !== undefined) throw new TypeError(`${WHERE} have both ${name} and ${other}: one of them is enough`);
  const value = settings[name] as string | readonly string[];
  if (typeof value !== "string") return tokenOfCommand(value, folder);
  if (name === "password" || name === "token") return value;
  return async () => ((await readSetting(name, value, folder)) ?? "").trim();
}

async function readSetting(name: string, path: string | undefined, folder: string): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await readFile(resolve(folder, path), "utf8");
  } catch (error) {
    const code = error instanceof Error && "code" in error ? String(error.code) : "unreadable";
    throw new TypeError(`${name} in ${WHERE} cannot be read (${code}): ${JSON.stringify(path)}`, { cause: error });
  }
}

function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}
