import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { defaultOffsetResetPolicy, type OffsetResetPolicy, resolveOffsetResetPolicy } from "@tidemark/core";
import { lastOffset } from "@tidemark/reset-policies";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tidemark-policy-"));
  vi.spyOn(process, "cwd").mockReturnValue(folder);
});
afterEach(async () => {
  vi.restoreAllMocks();
  await rm(folder, { recursive: true });
});

async function write(path: string, text: string): Promise<string> {
  const full = join(folder, path);
  await mkdir(dirname(full), { recursive: true });
  await writeFile(full, text);
  return full;
}

const sound = "{ name: 'mine', timestamp: () => -1 }";

test("nothing given is the default, and so is its name", async () => {
  expect(await resolveOffsetResetPolicy(undefined)).toBe(defaultOffsetResetPolicy);
  expect(await resolveOffsetResetPolicy("earliest")).toBe(defaultOffsetResetPolicy);
});

describe("an object (contract 6.2)", () => {
  test("is the policy itself", async () => {
    const policy: OffsetResetPolicy = { name: "mine", timestamp: () => -1, adjustOffset: (_, next) => next };
    expect(await resolveOffsetResetPolicy(policy)).toBe(policy);
  });
  test("may be an instance of a class", async () => {
    class Mine {
      readonly name = "mine";
      timestamp(): number {
        return -1;
      }
    }
    const policy = new Mine();
    expect(await resolveOffsetResetPolicy(policy)).toBe(policy);
  });
  test.each<[given: unknown, message: string]>([
    [null, "is not a policy: expected an object with name and timestamp(), got null"],
    [5, "got number"],
    [lastOffset, "is a function: give the policy that it returns"],
    [{}, "lacks name and timestamp()"],
    [{ name: "mine" }, "lacks timestamp()"],
    [{ timestamp: () => -1 }, "lacks name"],
    [{ name: "", timestamp: () => -1 }, "name is not a non-empty string"],
    [{ name: 5, timestamp: () => -1 }, "name is not a non-empty string"],
    [{ name: "mine", timestamp: -1 }, "timestamp is not a function"],
    [{ name: "mine", timestamp: () => -1, adjustOffset: 5n }, "adjustOffset is not a function"],
  ])("%o is refused: %s", async (given, message) => {
    const attempt = resolveOffsetResetPolicy(given as OffsetResetPolicy);
    await expect(attempt).rejects.toThrow(TypeError);
    await expect(attempt).rejects.toThrow(message);
  });
});

describe("a name (contract 6.2)", () => {
  test("is looked up in the companion package", async () => {
    expect(await resolveOffsetResetPolicy("last-offset")).toBe(lastOffset());
    expect((await resolveOffsetResetPolicy("by_duration:PT1H")).name).toBe("by_duration:PT1H");
    expect((await resolveOffsetResetPolicy("at_timestamp:2026-01-01T00:00:00Z")).name).toBe(
      "at_timestamp:2026-01-01T00:00:00.000Z",
    );
  });
  test("that nobody knows is refused with those that are known", async () => {
    const attempt = resolveOffsetResetPolicy("erliest");
    await expect(attempt).rejects.toThrow(TypeError);
    await expect(attempt).rejects.toThrow(/"erliest": known are earliest, latest, last-offset, .*by_duration:PT1H/);
  });
  test("with a wrong argument is refused", async () => {
    await expect(resolveOffsetResetPolicy("by_duration:P1Y")).rejects.toThrow(/years or months/);
    await expect(resolveOffsetResetPolicy("")).rejects.toThrow(TypeError);
  });
});

describe("a module (contract 6.2)", () => {
  test.each([
    ["export policy", "policy.js", `export const policy = ${sound}`],
    ["default export", "policy.mjs", `export default ${sound}`],
    ["the module itself", "itself.mjs", "export const name = 'mine'; export function timestamp() { return -1 }"],
    ["TypeScript", "policy.ts", `export const policy: object = ${sound}`],
    ["CommonJS", "policy.cjs", `module.exports = ${sound}`],
  ])("%s", async (_what, file, text) => {
    await write("package.json", '{ "type": "module" }');
    const path = await write(file, text);
    for (const specifier of [`./${file}`, file, path, pathToFileURL(path).href]) {
      expect((await resolveOffsetResetPolicy(specifier)).name).toBe("mine");
    }
  });
  test("in a folder above, and in one below", async () => {
    await write("policies/policy.mjs", `export const policy = ${sound}`);
    expect((await resolveOffsetResetPolicy("policies/policy.mjs")).name).toBe("mine");
    await mkdir(join(folder, "below"));
    vi.mocked(process.cwd).mockReturnValue(join(folder, "below"));
    expect((await resolveOffsetResetPolicy("../policies/policy.mjs")).name).toBe("mine");
  });
  test("of a package installed in the working directory", async () => {
    const manifest = { name: "@mine/policy", type: "module", exports: { ".": "./index.js", "./other": "./index.js" } };
    await write("node_modules/@mine/policy/package.json", JSON.stringify(manifest));
    await write("node_modules/@mine/policy/index.js", `export const policy = ${sound}`);
    expect((await resolveOffsetResetPolicy("@mine/policy")).name).toBe("mine");
    expect((await resolveOffsetResetPolicy("@mine/policy/other")).name).toBe("mine");
  });
  test.each([
    ["is no policy", "export const policy = { name: 'mine' }", 'policy module "./policy.mjs" lacks timestamp()'],
    ["exports nothing", "export {}", 'policy module "./policy.mjs" lacks name and timestamp()'],
    ["exports a factory", `export const policy = () => (${sound})`, "is a function"],
    ["does not parse", "export const policy = {", 'policy module "./policy.mjs" could not be loaded'],
    ["throws", "throw new Error('not today')", "not today"],
  ])("that %s is refused", async (_what, text, message) => {
    await write("policy.mjs", text);
    const attempt = resolveOffsetResetPolicy("./policy.mjs");
    await expect(attempt).rejects.toThrow(TypeError);
    await expect(attempt).rejects.toThrow(message);
  });
  test.each(["./absent.js", "absent.js", "@mine/absent", "absent/policy", "file:///absent/policy.js"])(
    "%s that is not there is refused",
    async (specifier) => {
      const attempt = resolveOffsetResetPolicy(specifier);
      await expect(attempt).rejects.toThrow(TypeError);
      await expect(attempt).rejects.toThrow(`policy module "${specifier}" could not be loaded`);
    },
  );
});
