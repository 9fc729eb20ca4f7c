import type { LogUrlOpener } from "@tidemark/core";
import { resolveLogUrlOptions } from "@tidemark/core/driver";
import { type KafkaLogOptions, openKafkaLog } from "./kafka-log.ts";
import { passwordOfEnvironment } from "./password-of-environment.ts";
import { readSecuritySettings } from "./security-settings.ts";

/**
 * Opens a Kafka log by URL: `kafka://HOST:PORT[,HOST:PORT]?tls=true&sasl=scram-sha-256&username=U&isolation=read_uncommitted`.
 * The password of `username` is best given in the environment variable `TIDEMARK_KAFKA_PASSWORD`, where no list of processes
 * shows it; `kafka://USER:PASSWORD@HOST:PORT` is understood too. Both are percent-encoded. Certificates and tokens are settings
 * beside the URL: `{ ca, cert, key, sasl, tokenCommand, ... }`.
 */
export const logUrl: LogUrlOpener = Object.freeze({
  schemes: Object.freeze(["kafka"]),
  usage: "kafka://HOST:PORT",
  async open(url, options = {}) {
    const { settings, folder } = resolveLogUrlOptions(options);
    const ofUrl = parseKafkaLogUrl(url);
    const ofSettings = await readSecuritySettings(settings, folder);
    for (const name of ["tls", "sasl"] as const) {
      if (ofUrl[name] === undefined || ofSettings[name] === undefined) continue;
      throw new TypeError(`a Kafka log's URL and its settings both set ${name}: set it in one place only`);
    }
    return openKafkaLog({ ...ofUrl, ...ofSettings });
  },
} satisfies LogUrlOpener);

const MECHANISMS = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] as const;

/** What such a URL asks for; one that makes no sense is a `TypeError`. No message repeats it: it may hold a password. */
export function parseKafkaLogUrl(url: string): KafkaLogOptions {
  const [, authority, query] = /^kafka:\/\/([^/?#]+)\/?(?:\?([^#]*))?$/i.exec(url) ?? [];
  if (authority === undefined) {
    throw new TypeError("a Kafka log's URL is kafka://HOST:PORT[,HOST:PORT], without a path; name topics separately");
  }
  const at = authority.lastIndexOf("@");
  // All after the first colon is the password, as in other URLs: one that is cut short would only be refused.
  const [, user, password] = (at === -1 ? [] : (/^([^:]*)(?::(.*))?$/.exec(authority.slice(0, at)) ?? [])).map(decode);
  const options = readQuery(new URLSearchParams(query ?? ""));
  const username = options.username ?? user;
  const secret = password ?? passwordOfEnvironment();
  if (username === undefined && options.mechanism !== undefined) {
    throw new TypeError("sasl in a Kafka log's URL needs username=NAME too");
  }
  if (username !== undefined && secret === undefined) {
    throw new TypeError("a Kafka log's URL with a username needs a password: set TIDEMARK_KAFKA_PASSWORD");
  }
  return {
    brokers: authority.slice(at + 1).split(","),
    ...(options.tls !== undefined && { tls: options.tls }),
    ...(options.clientId !== undefined && { clientId: options.clientId }),
    ...(options.isolation !== undefined && { isolation: options.isolation }),
    ...(username !== undefined &&
      secret !== undefined && { sasl: { mechanism: options.mechanism ?? "PLAIN", username, password: secret } }),
  };
}

interface QueryOptions {
  tls?: boolean;
  mechanism?: (typeof MECHANISMS)[number];
  username?: string;
  clientId?: string;
  isolation?: "read_committed" | "read_uncommitted";
}

function readQuery(query: URLSearchParams): QueryOptions {
  const options: QueryOptions = {};
  for (const [name, value] of query) {
    switch (name) {
      case "tls":
        options.tls = oneOf(name, value, ["true", "false"]) === "true";
        break;
      case "sasl":
        options.mechanism = oneOf(name, value.toUpperCase(), MECHANISMS);
        break;
      case "isolation":
        options.isolation = oneOf(name, value, ["read_committed", "read_uncommitted"]);
        break;
      case "username":
      case "clientId":
        options[name] = value;
        break;
      default:
        throw new TypeError(
          `a Kafka log's URL takes tls, sasl, username, clientId and isolation, not ${JSON.stringify(name)}`,
        );
    }
  }
  return options;
}

function oneOf<Choice extends string>(name: string, value: string, choices: readonly Choice[]): Choice {
  const choice = choices.find((candidate) => candidate === value);
  if (choice === undefined) throw new TypeError(`${name} in a Kafka log's URL must be one of ${choices.join(", ")}`);
  return choice;
}

function decode(text: string | undefined): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text);
  } catch {
    throw new TypeError("user's name and password in a Kafka log's URL must be percent-encoded");
  }
}
