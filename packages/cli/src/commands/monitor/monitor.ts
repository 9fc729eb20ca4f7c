import { InvalidArgumentError, type Command } from "commander";
import { contextOf } from "../../context/command-context.ts";
import { sayWithHelp } from "../../context/say-with-help.ts";
import { say } from "../../context/standard-streams.ts";
import { CommandFailure } from "../../failure/command-failure.ts";
import { messageOf } from "../../failure/report-failure.ts";
import { withoutSecrets } from "../../text/secrets.ts";
import { stopOnSignals } from "../consume/stop-on-signals.ts";
import { examples } from "../examples.ts";
import { once, parsePositiveDuration } from "../option-values.ts";

const PORT = 9466;
const LOOPBACK = "127.0.0.1";
const INTERVAL_MS = 5000;
const SHORTEST_INTERVAL_MS = 100;
/** A timer cannot wait longer than 2^31 - 1 ms, and does not wait at all then. */
const LONGEST_INTERVAL_DAYS = 24;
const LARGEST_PORT = 65_535;

interface MonitorCommandOptions {
  readonly port?: number;
  readonly host?: string;
  readonly interval?: number;
}

/** `tidemark monitor`. */
export function addMonitorCommand(program: Command): void {
  program
    .command("monitor")
    .description(
      "Serve a page that shows every consumer with its lag, and the same for Prometheus at /metrics. It is read-only, and lists the store once per interval, whatever the number of viewers.",
    )
    .option("--port <number>", `the port, 0 for any free port (default: ${PORT})`, once(parsePort))
    .option(
      "--host <address>",
      `the address to listen on; one other than loopback admits other machines (default: ${LOOPBACK})`,
      once(parseHost),
    )
    .option("--interval <duration>", "how often to list the store: 5s, 1m (default: 5s)", once(parseInterval))
    .addHelpText(
      "after",
      `
The page has no password: on an address other than loopback, anyone who can reach it sees the names of consumers and topics.
${examples("monitor", "monitor --port 8080 --interval 15s", "monitor --host 0.0.0.0 --store redis://cache.example.com")}`,
    )
    .action(async (options: MonitorCommandOptions, command: Command) => {
      const { port = PORT, host = LOOPBACK, interval: intervalMs = INTERVAL_MS } = options;
      const context = await contextOf(command);
      const { settings } = context;
      const { startMonitor } = await import("../../monitor/monitor.ts");
      const { isLoopback, serveMonitor } = await import("../../monitor/monitor-server.ts");
      const { keepMemorySmall } = await import("../../monitor/small-memory.ts");
      const controller = new AbortController();
      const signals = stopOnSignals(() => controller.abort());
      try {
        await using store = await context.openStoreThatIsThere();
        await using monitor = await startMonitor({
          store,
          openLog: () => context.openLogThatIsThere(),
          intervalMs,
          signal: controller.signal,
          onObserved: keepMemorySmall(),
          onStoreFailure(error) {
            if (error === undefined) say("the store answers again");
            else sayWithHelp(`the store cannot be listed, trying again every ${intervalMs} ms: ${error.message}`);
          },
        });
        const place = withoutSecrets(settings.store ?? `sqlite:${settings.defaultFile()}`);
        await using server = await serveMonitor({ monitor, store: place, host, port }).catch((error: unknown) => {
          throw new CommandFailure(
            `the monitor cannot listen on ${host}:${port}: ${messageOf(error)}; --port and --host name another`,
            {
              cause: error,
            },
          );
        });
        if (!isLoopback(host)) say(`warning: anyone who can reach ${host} sees the page: it has no password`);
        say(`monitor of ${place} at ${server.url}, for Prometheus at ${server.url}metrics; Ctrl-C stops it`);
        await signals.received;
      } catch (error) {
        if (error !== controller.signal.reason) throw error;
      } finally {
        signals.release();
      }
    });
}

function parsePort(text: string): number {
  const port = /^\d{1,5}$/.test(text) ? Number(text) : NaN;
  if (!(port <= LARGEST_PORT)) throw new InvalidArgumentError(`It must be a whole number from 0 to ${LARGEST_PORT}.`);
  return port;
}

function parseHost(text: string): string {
  if (text === "") throw new InvalidArgumentError("It must not be empty.");
  return text;
}

function parseInterval(text: string): number {
  const intervalMs = parsePositiveDuration(text);
  if (intervalMs < SHORTEST_INTERVAL_MS) {
    throw new InvalidArgumentError(`It must be at least ${SHORTEST_INTERVAL_MS}ms: the store is listed each time.`);
  }
  if (intervalMs > LONGEST_INTERVAL_DAYS * 86_400_000) {
    throw new InvalidArgumentError(`It must be at most ${LONGEST_INTERVAL_DAYS}d.`);
  }
  return intervalMs;
}
