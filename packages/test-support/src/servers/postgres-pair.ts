import { freePorts } from "./free-port.ts";
import { ownServer } from "./own-server.ts";
import {
  askPostgres,
  makeDataFolder,
  type PostgresPrograms,
  postgresVersion,
  runPostgres,
  runToEnd,
  startPostgres,
} from "./postgres.ts";
import type { OwnServer } from "./server.ts";
import { until } from "./server-process.ts";
import type { ServerScope } from "./server-scope.ts";

const STANDBY = "standby";

/**
 * Starts a PostgreSQL and a standby that has all it has committed: a commit waits for it. `select pg_promote()` on the second
 * node makes that one the primary, which then waits for nobody.
 */
export async function launchPostgresPair(programs: PostgresPrograms, scope: ServerScope): Promise<OwnServer> {
  const [port = 0, standbyPort = 0] = await freePorts(2);
  const primary = await startPostgres("master", programs, port, scope, { synchronous_standby_names: STANDBY });
  const connection = `host=127.0.0.1 port=${port} user=postgres`;
  const data = makeDataFolder(STANDBY, programs, scope);
  await runToEnd(programs, "pg_basebackup", data, (inside) => [
    ...["--pgdata", inside, "--dbname", connection, "--write-recovery-conf", "--checkpoint", "fast", "--no-sync"],
  ]);
  const standby = await runPostgres({
    ...{ name: STANDBY, role: "replica", programs, data, port: standbyPort, scope },
    settings: { primary_conninfo: `${connection} application_name=${STANDBY}` },
  });
  const { url } = primary;
  const settle = async (): Promise<void> =>
    until("that the standby follows", async () => {
      const state = "select sync_state as answer from pg_stat_replication";
      return (await askPostgres(url, state)) === "sync";
    });
  await settle();
  const version = `${await postgresVersion(url)} with a standby`;
  return ownServer(
    { name: "postgres-pair", version, url, urls: [url, standby.url] },
    scope,
    [primary, standby],
    settle,
  );
}
