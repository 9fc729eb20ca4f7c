import type { Running, Workspace } from "../support/workspace.ts";

/** A monitor that runs. */
export interface RunningMonitor {
  /** Ends with a slash. */
  readonly url: string;
  readonly command: Running;
  /** What is at a path. */
  text(path: string): Promise<string>;
}

/** Starts `tidemark monitor` on a port that is free, and waits until it says where it is. */
export async function startMonitorCommand(workspace: Workspace, args: readonly string[] = []): Promise<RunningMonitor> {
  const command = workspace.start(["monitor", "--port", "0", ...args]);
  await command.said("Ctrl-C stops it");
  const url = /at (http:\S+\/),/.exec(command.stderr())?.[1] ?? "";
  return {
    url,
    command,
    async text(path) {
      const response = await fetch(url + path);
      if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
      return await response.text();
    },
  };
}
