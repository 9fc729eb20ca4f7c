import { spawn } from "node:child_process";
import { once } from "node:events";
import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWithServer, freePorts } from "@tidemark/test-support/servers";
import { expect, test } from "vitest";
import { samplesOf } from "../../src/packaging/markdown-samples.ts";
import { missingServer, sampleSurroundings } from "../../src/packaging/sample-surroundings.ts";
import { rootFolder } from "../../src/packaging/workspace.ts";

const [sample] = samplesOf(await readFile(join(rootFolder, "docs/production.md"), "utf8"));
const servers = sample?.servers ?? [];
const missing = await missingServer(servers);

await describeWithServer(missing === "postgres" ? "postgres" : "kafka", () => {
  test("the program of docs/production.md waits for records, is healthy, and ends on SIGTERM", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tidemark-production-"));
    const surroundings = await sampleSurroundings(servers);
    const [port] = await freePorts(1);
    try {
      await symlink(join(rootFolder, "node_modules"), join(folder, "node_modules"));
      await writeFile(join(folder, "package.json"), '{ "type": "module" }');
      // As a service runs it.
      // Other tests use the server, and the names of the page.
      const suffix = randomBytes(4).toString("hex");
      const named = (sample?.text ?? "")
        .replaceAll("orders", `orders${suffix}`)
        .replaceAll("mailer", `mailer${suffix}`);
      const program = surroundings.adapt(named).replace(/^ +untilEnd: true,.*\n/m, "");
      expect(program).not.toContain("untilEnd");
      await writeFile(join(folder, "mailer.ts"), program);
      const child = spawn(process.execPath, ["--conditions=@tidemark/source", "mailer.ts"], {
        cwd: folder,
        env: { ...process.env, PORT: String(port) },
        stdio: ["ignore", "ignore", "inherit"],
      });
      const exited = once(child, "exit");
      try {
        for (const path of ["/live", "/ready"]) {
          await expect.poll(() => statusOf(`http://127.0.0.1:${port}${path}`)).toBe(200);
        }
        child.kill("SIGTERM");
        expect(await exited).toEqual([0, null]);
      } finally {
        child.kill("SIGKILL");
      }
    } finally {
      await surroundings.close();
      await rm(folder, { recursive: true });
    }
  });
});

/** What a health check is answered with; `undefined` while nobody listens. */
async function statusOf(url: string): Promise<number | undefined> {
  const response = await fetch(url).catch(() => undefined);
  await response?.body?.cancel();
  return response?.status;
}
