import type { MissingServer, OwnServer, RunningServer, ServerName } from "./server.ts";
import type { ServerScope } from "./server-scope.ts";

/** How one server is found and started. */
export interface ServerDefinition {
  /** The variable with the URL of one that runs already. */
  readonly urlVariable: string;
  /** Looks at one that runs already. */
  describe(url: string): Promise<RunningServer>;
  /** Finds what is needed to start one, or says in half a line why there is none. */
  find(): ((scope: ServerScope) => Promise<OwnServer>) | string;
}

/** The line about a missing server. */
export function missingServer(name: ServerName, reason: string): MissingServer {
  return { name, missing: `${name} was not tested: ${reason}` };
}
