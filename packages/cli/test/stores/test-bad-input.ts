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

/** How long a store may take to say that it is not there: its time-out is ten seconds, and a busy machine may add to it. */
const PATIENCE_MS = 60_000;

/** Declares a test for each: exit code, one line, no secret, no stack, within the time-out. */
export function testBadInput(cases: readonly BadInput[]): void {
  describe.each(["consumer list", "consume t -c c1 --until-end"])("%s", (command) => {
    test.concurrent.each(cases)("$what", async ({ url, environment, code, message }) => {
      await using workspace = await createStoreWorkspace({ url, ...(environment !== undefined && { environment }) });
      await workspace.out("topic create t");
      const startedAt = performance.now();
      const finished = await workspace.run(command.split(" "));
      expect(performance.now() - startedAt).toBeLessThan(PATIENCE_MS);
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
