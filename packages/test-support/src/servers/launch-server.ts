import { serverDefinitions } from "./definitions.ts";
import type { MissingServer, OwnServer, RunningServer, ServerName } from "./server.ts";
import { missingServer } from "./server-definition.ts";
import { ServerStartError } from "./server-process.ts";
import { ServerScope } from "./server-scope.ts";

const ATTEMPTS = 5;

/**
 * Starts a server of the caller's own, on free ports of the loopback and with data of its own: to kill it, for example. The
 * caller stops it; it ends with this process in any case. A server that the environment gives a URL of is not used: it
 * could not be killed.
 *
 * @throws ServerStartError if it is installed, but does not start.
 */
export function launchServer(name: ServerName): Promise<OwnServer | MissingServer> {
  return launchIn(name, () => new ServerScope());
}

async function launchIn(name: ServerName, createScope: () => ServerScope): Promise<OwnServer | MissingServer> {
  const launch = serverDefinitions[name].find();
  if (typeof launch === "string") return missingServer(name, launch);
  for (let attempt = 1; ; attempt++) {
    const scope = createScope();
    try {
      return await launch(scope);
    } catch (error) {
      await scope.end();
      // Whoever took the port meanwhile does not have the next one.
      if (error instanceof ServerStartError && error.addressInUse && attempt < ATTEMPTS) continue;
      throw error;
    }
  }
}

/** Looks at the server that the environment gives a URL of, or starts one. */
export async function findOrLaunchServer(name: ServerName): Promise<RunningServer | OwnServer | MissingServer> {
  const { urlVariable, describe } = serverDefinitions[name];
  const url = process.env[urlVariable];
  if (url === undefined) return launchIn(name, () => new ServerScope({ isLent: true }));
  try {
    return await describe(url);
  } catch (error) {
    // The URL may hold a password, and so may a client's message.
    const code = error instanceof Error && "code" in error ? ` (${String(error.code)})` : "";
    return missingServer(name, `the server of ${urlVariable} does not answer${code}`);
  }
}
