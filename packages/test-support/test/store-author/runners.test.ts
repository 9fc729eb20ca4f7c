import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { storeConformanceCases } from "@tidemark/core/conformance";
import { describe, expect, it } from "vitest";
import { type CommandResult, runCommand } from "../../src/packaging/run-command.ts";

const folder = fileURLToPath(new URL("runners", import.meta.url));
const require = createRequire(import.meta.url);
const SOURCES = "--conditions=@tidemark/source";
/** The kit's cases, and the model test of `@tidemark/core/conformance/model`. */
const count = storeConformanceCases.length + 1;

/** Runs a program of Node's as from a terminal: what this runner leaves in the environment would change the other. */
function run(...args: readonly string[]): Promise<CommandResult> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:VITEST|NODE_|JEST|VITE)/.test(name));
  return runCommand(process.execPath, args, { cwd: folder, env: { ...Object.fromEntries(inherited), NO_COLOR: "1" } });
}

// A limit of a millisecond: what the kit asks for each case has to go before it.
describe("the kit and the model test run every case, and the same, under", () => {
  it("node --test", async () => {
    const { code, output } = await run(SOURCES, "--test-reporter=tap", "node.suite.ts");
    expect(output).toMatch(new RegExp(`^# pass ${count}$`, "m"));
    expect(output).toMatch(/^# fail 0$/m);
    expect(code).toBe(0);
  });

  it("vitest", async () => {
    const program = fileURLToPath(new URL("vitest.mjs", import.meta.resolve("vitest/package.json")));
    const { code, output } = await run(program, "run", "--config", "vitest.config.ts", "--testTimeout=1");
    expect(output).toContain(` Tests  ${count} passed (${count})`);
    expect(code).toBe(0);
  });

  it("jest", async () => {
    const modules = ["--experimental-vm-modules", "--disable-warning=ExperimentalWarning"];
    const { code, output } = await run(...modules, require.resolve("jest/bin/jest"), "--testTimeout=1");
    expect(output).toMatch(new RegExp(`^Tests: +${count} passed, ${count} total$`, "m"));
    expect(code).toBe(0);
  });
});
