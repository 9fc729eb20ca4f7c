import { execFile } from "node:child_process";
import { describeWithServer } from "./describe-with-server.ts";
import { findKafka, javaArguments } from "./find-kafka.ts";
import { requireServer, serversAreRequired } from "./require-server.ts";
import type { MissingServer, RunningServer } from "./server.ts";

const TIMEOUT_MS = 120_000;
const MAX_OUTPUT_BYTES = 64 * 1024 * 1024;

/** What a tool left. */
export interface KafkaToolRun {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The tools that come with Kafka. */
export interface KafkaTools {
  /** Of the jars that they are in. */
  readonly version: string;
  /**
   * Runs the main class of a tool, for example `org.apache.kafka.tools.consumer.group.ConsumerGroupCommand`. It costs about half
   * a second of a processor.
   *
   * @param folder - Where files lie that the arguments name; they are named by their whole paths.
   */
  run(mainClass: string, args: readonly string[], folder: string): Promise<KafkaToolRun>;
}

/** Finds Kafka's own tools, or says in one line why there are none: a broker that the environment names comes without. */
function findKafkaTools(): KafkaTools | MissingServer {
  const program = findKafka("TIDEMARK_TEST_KAFKA_URL");
  if (typeof program === "string")
    return { name: "kafka", missing: `nothing was compared with Kafka's tools: ${program}` };
  return {
    version: program.version,
    run(mainClass, args, folder) {
      const { promise, resolve, reject } = Promise.withResolvers<KafkaToolRun>();
      const java = ["-Xmx128m", ...javaArguments(program), mainClass, ...args];
      const { command, args: all, env } = program.java.command(folder, java);
      // Java reads its arguments in the encoding of the locale, which knows ASCII alone where none is set.
      const options = {
        env: { ...process.env, ...env, LC_ALL: "C.UTF-8" },
        timeout: TIMEOUT_MS,
        maxBuffer: MAX_OUTPUT_BYTES,
      };
      const child = execFile(command, [...all], options, (error, stdout, stderr) => {
        // A tool that was ended, or did not start, has said nothing that could be compared.
        if (error !== null && typeof error.code !== "number") reject(error);
        else resolve({ code: child.exitCode, stdout, stderr });
      });
      return promise;
    },
  };
}

/**
 * Declares tests that compare with Kafka's own tools on the shared broker, as {@link describeWithServer} does. Where there is a
 * broker and no tools they are skipped, and the run says so in one line; in CI that is a failure.
 */
export async function describeWithKafkaTools(
  define: (server: RunningServer, tools: KafkaTools) => void,
): Promise<void> {
  const { describe, it } = await import("vitest");
  const tools = findKafkaTools();
  if (!("missing" in tools)) return describeWithServer("kafka", (server) => define(server, tools));
  if (serversAreRequired()) {
    it("needs Kafka's tools", () => requireServer(tools));
  } else {
    process.stderr.write(`${tools.missing}\n`);
    describe.skip(tools.missing, () => it("needs Kafka's tools", () => undefined));
  }
}
