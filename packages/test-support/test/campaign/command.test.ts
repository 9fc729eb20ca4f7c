import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const program = fileURLToPath(new URL("../../src/campaign/main.ts", import.meta.url));

describe("campaign, as a command", () => {
  it("says its seed, its progress and its figures", async () => {
    const { code, output, talk } = await campaign("memory", "--rounds", "3", "--seed", "5");
    expect(talk).toContain("seed 5: 3 rounds on each of memory");
    expect(talk).toMatch(/memory: 3 of 3 rounds/);
    expect(output).toMatch(/\| memory \|/);
    expect(output).toMatch(/\| rounds \| 3 \|/);
    expect(code).toBe(0);
  });

  it("ends with 1 upon a violation, with all that is needed to see it again", async () => {
    const flaw = ["--flaw", "lost-commit"];
    const { code, talk } = await campaign("memory", "--rounds", "20", "--seed", "1", ...flaw);
    expect(code).toBe(1);
    expect(talk).toMatch(/memory: round \d+ broke the contract:/);
    expect(talk).toContain('"lives": [');
    expect(talk).toMatch(/campaign memory --seed 1 --from \d+ --rounds 1 --flaw lost-commit/);
  });

  it.each([
    [["memoria"], 'there is no store "memoria"; there are memory, sqlite, postgres, redis, mongo, s3'],
    [["memory", "--rounds", "0"], '--rounds must be a whole number of at least 1, not "0"'],
    [["memory", "--seed", "x"], '--seed must be a whole number of at least 0, not "x"'],
    [["memory", "--flaw", "none"], 'there is no flaw "none"; there are unguarded-commit'],
    [["memory", "--fast"], "'--fast'"],
  ])("ends with 2 where it is asked for nonsense: %s", async (args, says) => {
    const { code, talk } = await campaign(...args);
    expect(code).toBe(2);
    expect(talk).toContain(says);
  });
});

async function campaign(...args: string[]): Promise<{ code: number | null; output: string; talk: string }> {
  const node = ["--conditions=@tidemark/source", "--disable-warning=ExperimentalWarning", program];
  const child = spawn(process.execPath, [...node, ...args], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "exit");
  const [output, talk] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await exited) as [number | null];
  return { code, output, talk };
}
