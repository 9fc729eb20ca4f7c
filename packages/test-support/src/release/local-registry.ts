import { once } from "node:events";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { spawn } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { freePorts } from "../servers/free-port.ts";
import { tiedCommand } from "../servers/tied-command.ts";

/** A registry of npm packages on loopback that has nothing but this project's. */
export interface LocalRegistry {
  /**
   * The lines of an `.npmrc` that lead this project's scope there. What is not ours comes from where the machine gets its
   * packages: whatever that is, nobody has to say it.
   */
  readonly npmrc: string;
  readonly url: string;
  /** Where it keeps the packages. */
  readonly storage: string;
  close(): Promise<void>;
}

const CONFIG = {
  storage: "./storage",
  defaultRegistry: "local",
  registries: { local: { type: "hosted", access: "$all", packages: { "@tidemark/*": { publish: "$all" } } } },
};

/** Starts a registry that keeps its packages in a folder. Rejects if it does not answer within 30 seconds. */
export async function startLocalRegistry(folder: string): Promise<LocalRegistry> {
  await mkdir(folder, { recursive: true });
  const config = join(folder, "registry.yaml");
  // JSON is YAML.
  await writeFile(config, JSON.stringify(CONFIG));
  const [port = 0] = await freePorts(1);
  const url = `http://127.0.0.1:${port}/`;
  const program = createRequire(import.meta.url).resolve("@pnpm/pnpr/bin/pnpr");
  const options = ["--config", config, "--listen", `127.0.0.1:${port}`, "--disable-resolver"];
  const [command, args] = tiedCommand(program, options);
  const child = spawn(command, args, {
    cwd: folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output += text;
    });
  }
  const exited = once(child, "exit");
  // Whatever ends this process ends the registry.
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const close = async (): Promise<void> => {
    process.off("exit", kill);
    child.kill("SIGKILL");
    await exited;
  };
  const deadline = AbortSignal.timeout(120_000);
  while (!(await answers(url))) {
    if (child.exitCode !== null || deadline.aborted) {
      await close();
      throw new Error(`the local registry does not answer:\n${output}`);
    }
    await sleep(50);
  }
  return {
    // A token is asked for before anything is sent; the registry takes any.
    npmrc: `@tidemark:registry=${url}\n//127.0.0.1:${port}/:_authToken=none\n`,
    url,
    storage: join(folder, "storage"),
    close,
  };
}

async function answers(url: string): Promise<boolean> {
  try {
    await (await fetch(`${url}-/ping`)).arrayBuffer();
    return true;
  } catch {
    return false;
  }
}
