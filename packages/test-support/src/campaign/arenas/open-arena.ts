import { launchServer, type MissingServer, type ServerName } from "../../servers/index.ts";
import type { CampaignStoreName } from "../round-plan.ts";
import type { Arena } from "./arena.ts";
import { openMemoryArena, openSqliteArena } from "./embedded.ts";
import { openServerArena, type ServerKind } from "./on-server.ts";

const SERVERS = { postgres: "postgres", redis: "redis", mongo: "mongo", s3: "minio" } as const satisfies Record<
  ServerKind,
  ServerName
>;

/** Opens the arena of a store, on a server of its own. Gives why where the server is missing. */
export async function openArena(store: CampaignStoreName, folder: string): Promise<Arena | MissingServer> {
  if (store === "memory") return openMemoryArena();
  if (store === "sqlite") return openSqliteArena(folder);
  const server = await launchServer(SERVERS[store]);
  return "missing" in server ? server : openServerArena(store, server);
}
