import { createServer, type AddressInfo } from "node:net";
import { describe, expect, test } from "vitest";
import { createStoreWorkspace } from "./store-fixture.ts";
import { failureLine } from "../support/failure-line.ts";

/** A store's URL that cannot be worked with. */
export interface BadInput {
  /** What is wrong with it. */
  readonly what: string;
  /** The URL. Its password, if it has one, has the word `secret` in it. */
  readonly url: string;
  readonly environment?: Readonly<Record<string, string>>;
  /** 2 for a URL that makes no sense, 1 for anything else. */
  readonly code: 1 | 2;
  /** What the one line on standard error says after the command's name. */
  readonly message: RegExp;
}

/** How long a store may take to say that it is not there, beyond what any command takes: its time-out is ten seconds. */
const PATIENCE_MS = 15_000;
/** A busy machine may need longer than the rest of the tests are given. */
const TEST_TIMEOUT_MS = 90_000;

/** Declares a test for each: exit code, one line, no secret, no stack, within the time-out. */
export function testBadInput(cases: readonly BadInput[]): void {
  describe.each(["consumer list", "consume t -c c1 --until-end"])("%s", (command) => {
    test.concurrent.each(cases)("$what", { timeout: TEST_TIMEOUT_MS }, async ({ url, environment, code, message }) => {
      await using workspace = await createStoreWorkspace({ url, ...(environment !== undefined && { environment }) });
      const startedAt = performance.now();
      await workspace.out("topic create t");
      const ordinaryMs = performance.now() - startedAt;
      const finished = await workspace.run(command.split(" "));
      expect(performance.now() - startedAt - 3 * ordinaryMs).toBeLessThan(PATIENCE_MS);
      expect(failureLine(finished)).toMatch(message);
      expect(finished).toMatchObject({ code, stdout: "" });
    });
  });
}

/** A server that takes connections and never answers. */
export interface SilentServer extends AsyncDisposable {
  readonly port: number;
}

/** Starts one, on the loopback. */
export async function startSilentServer(): Promise<SilentServer> {
  const server = createServer((socket) => {
    // The client gives up in its own way.
    socket.on("error", () => {});
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    port,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** A port of the loopback that nobody listens on. */
export async function closedPort(): Promise<number> {
  await using server = await startSilentServer();
  return server.port;
}
