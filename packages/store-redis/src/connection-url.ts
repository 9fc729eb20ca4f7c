/** Where a Redis is, and how to speak to it, as a URL says it. */
export interface ConnectionUrl {
  readonly kind: "single" | "cluster" | "sentinel";
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly tls: boolean;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly database: number | undefined;
  /** Of a Sentinel set: what the Sentinels call it, and how to log in to them. */
  readonly sentinelName: string | undefined;
  readonly sentinelPassword: string | undefined;
}

const PARAMETERS = ["cluster", "sentinel", "nodes", "sentinelPassword"];
/** How such a URL is written. */
export const URL_USAGE =
  "redis[s]://[USER:PASSWORD@]HOST[:PORT][/DATABASE][?cluster=true | ?sentinel=NAME][&nodes=HOST:PORT,...]";

/**
 * Reads `redis://` and `rediss://` (TLS) URLs.
 *
 * @throws TypeError that never repeats the URL: it may hold a password.
 */
export function parseConnectionUrl(url: string): ConnectionUrl {
  if (typeof url !== "string") throw new TypeError("url must be a string");
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw new TypeError(
      `the URL cannot be parsed: write ${URL_USAGE}, with user and password percent-encoded (@ is %40, / is %2F)`,
    );
  }
  const { protocol, hostname, port, pathname, searchParams } = parsed;
  if (protocol !== "redis:" && protocol !== "rediss:") throw new TypeError(`the URL is not ${URL_USAGE}`);
  if (hostname === "") throw new TypeError(`the URL names no host: write ${URL_USAGE}`);
  for (const name of searchParams.keys()) {
    if (!PARAMETERS.includes(name)) {
      // A password with a question mark, as it was given, ends the host before its time: the name may be the rest of it.
      if (`${parsed.search}${parsed.hash}`.includes("@")) {
        throw new TypeError(
          `the URL has an unknown option; percent-encode special characters in user and password (? is %3F); known: ${PARAMETERS.join(", ")}`,
        );
      }
      throw new TypeError(`the URL has the unknown option ${JSON.stringify(name)}; known: ${PARAMETERS.join(", ")}`);
    }
  }
  const cluster = searchParams.get("cluster");
  const sentinelName = searchParams.get("sentinel") ?? undefined;
  if (cluster !== null && cluster !== "true" && cluster !== "false")
    throw new TypeError("cluster must be true or false");
  if (sentinelName === "") throw new TypeError("sentinel must name the set as the Sentinels do, often mymaster");
  if (cluster === "true" && sentinelName !== undefined)
    throw new TypeError("cluster and sentinel exclude each other in the URL");
  const kind = cluster === "true" ? "cluster" : sentinelName === undefined ? "single" : "sentinel";
  const more = (searchParams.get("nodes") ?? "").split(",").filter((node) => node !== "");
  if (more.length > 0 && kind === "single") throw new TypeError("nodes needs cluster=true or sentinel=NAME");
  const database = /^\/?(?<number>\d{0,9})\/?$/u.exec(pathname)?.groups?.["number"];
  if (database === undefined) {
    // A password with a slash, as it was given, ends the host before its time.
    throw new TypeError(
      "the path of the URL must be a database number, such as /0; percent-encode special characters in user and " +
        "password (@ is %40, / is %2F)",
    );
  }
  if (kind === "cluster" && Number(database) !== 0) throw new TypeError("a Cluster has database 0 only");
  const defaultPort = kind === "sentinel" ? 26_379 : 6379;
  return {
    kind,
    nodes: [
      { host: hostname.replaceAll(/^\[|\]$/gu, ""), port: port === "" ? defaultPort : Number(port) },
      ...more.map((node) => parseNode(node, defaultPort)),
    ],
    tls: protocol === "rediss:",
    username: decode(parsed.username),
    password: decode(parsed.password),
    database: database === "" ? undefined : Number(database),
    sentinelName,
    sentinelPassword: searchParams.get("sentinelPassword") ?? undefined,
  };
}

function parseNode(node: string, defaultPort: number): { host: string; port: number } {
  const match = /^(?<host>\[[^\]@]+\]|[^:@[\]]+)(?::(?<port>\d{1,5}))?$/u.exec(node);
  const { host, port } = match?.groups ?? {};
  if (host === undefined)
    throw new TypeError("nodes must be HOST:PORT, separated by commas, without user and password");
  return { host: host.replaceAll(/^\[|\]$/gu, ""), port: port === undefined ? defaultPort : Number(port) };
}

function decode(text: string): string | undefined {
  if (text === "") return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    throw new TypeError("user or password of the URL has a % that is not an escape: write it as %25");
  }
}
