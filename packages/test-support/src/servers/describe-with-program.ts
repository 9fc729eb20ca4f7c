import { findProgram } from "./find-program.ts";
import { serversAreRequired } from "./require-server.ts";

/**
 * Declares tests that need a program on the PATH, and get its path. Where it is not there they are skipped, and the run says so
 * in one line; in CI that is a failure.
 *
 * @param target - What `servers:install` gets it with.
 */
export async function describeWithProgram(name: string, target: string, define: (path: string) => void): Promise<void> {
  const { describe, it } = await import("vitest");
  const path = findProgram(name);
  if (path !== undefined) return void describe(name, () => define(path));
  const missing = `nothing was tested with ${name}: it is not on the PATH; \`npx -y pnpm@12.21.0 servers:install ${target}\` gets it on Debian`;
  if (serversAreRequired()) {
    it(`needs ${name}`, () => {
      throw new Error(missing);
    });
  } else {
    process.stderr.write(`${missing}\n`);
    describe.skip(missing, () => it(`needs ${name}`, () => undefined));
  }
}
