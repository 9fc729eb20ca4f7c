import { readdirSync, readFileSync } from "node:fs";
import { expect, it, onTestFinished } from "vitest";
import { childrenOf, processStart } from "../../src/servers/process-identity.ts";
import { makeServerFolder, removeServerFolder } from "../../src/servers/server-folder.ts";
import { ServerProcess } from "../../src/servers/server-process.ts";

const ROUNDS = 20;

/** The processes that live with this among their arguments. */
function livingWith(argument: string): number[] {
  return readdirSync("/proc").flatMap((name) => {
    const pid = Number(name);
    if (!Number.isInteger(pid) || processStart(pid) === undefined) return [];
    try {
      return readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(argument) ? pid : [];
    } catch {
      return [];
    }
  });
}

it.skipIf(process.platform !== "linux")(
  "a server that is killed leaves none of those that it was beginning",
  async () => {
    const folder = makeServerFolder();
    onTestFinished(() => removeServerFolder(folder));
    for (let round = 0; round < ROUNDS; round += 1) {
      const argument = `86${process.pid}.${round}`;
      const begin = `for each in $(seq 200); do sleep ${argument} & done; wait`;
      const server = ServerProcess.start(folder, "server", { command: "sh", args: ["-c", begin] });
      const { pid } = server;
      if (pid === undefined) throw new Error("it did not start");
      while (childrenOf(pid).length < 5) await new Promise((resolve) => setImmediate(resolve));
      await server.kill();
      expect(livingWith(argument)).toEqual([]);
    }
  },
);
