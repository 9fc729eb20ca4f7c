import { createClient } from "redis";

/** Asks a Redis server one question, on a connection of its own. */
export async function askRedis(url: string, ...words: string[]): Promise<string> {
  const client = createClient({ url, RESP: 2, socket: { reconnectStrategy: false, connectTimeout: 10_000 } });
  // Errors reject the calls below; without a listener they would end the process too.
  client.on("error", () => undefined);
  try {
    await client.connect();
    const answer = await client.sendCommand(words);
    return typeof answer === "string" ? answer : JSON.stringify(answer);
  } finally {
    if (client.isOpen) client.destroy();
  }
}

/** The name and version of a Redis server, as the tables print them: `Redis 7.0.15`, `Valkey 9.1.2`. */
export async function redisVersion(url: string): Promise<string> {
  const info = await askRedis(url, "INFO", "server");
  const field = (name: string) => new RegExp(`^${name}:(.*?)\r?$`, "mu").exec(info)?.[1];
  const valkey = field("valkey_version");
  return valkey === undefined ? `Redis ${field("redis_version") ?? "of no known version"}` : `Valkey ${valkey}`;
}
