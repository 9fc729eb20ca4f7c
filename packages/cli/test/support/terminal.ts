import { spawn } from "node:child_process";
import { environmentOf, TIDEMARK, type Workspace } from "./workspace.ts";

const DEADLINE_MS = 60_000;

/** A command at a terminal. */
export interface AtTerminal {
  /** All that the terminal got, standard output and standard error as one. */
  shown(): string;
  /** Resolves when it has this text. */
  shows(text: string): Promise<void>;
  /** Types; `\u0003` is Ctrl-C, `\u0004` Ctrl-D. */
  type(text: string): void;
  readonly ended: Promise<number | null>;
}

/** What a command at a terminal has around it. */
export interface TerminalSurroundings {
  readonly before?: string;
  readonly after?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * Starts a command at a terminal of its own, which `script` of util-linux makes.
 *
 * @param surroundings - What the shell has before and after the command, for example `exec` and `> file`.
 */
export function startAtTerminal(
  workspace: Workspace,
  args: readonly string[],
  { before = "", after = "", environment = {} }: TerminalSurroundings = {},
): AtTerminal {
  const command = [...TIDEMARK, ...args].map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
  // In CI Node takes a terminal for one without colours.
  const { NO_COLOR: _, FORCE_COLOR: __, CI: ___, ...inherited } = environmentOf(workspace.folder);
  const child = spawn(
    "script",
    ["--quiet", "--flush", "--return", "--command", `${before} ${command} ${after}`, "/dev/null"],
    {
      cwd: workspace.folder,
      env: { ...inherited, TERM: "xterm-256color", SHELL: "/bin/sh", ...environment },
      stdio: ["pipe", "pipe", "inherit"],
    },
  );
  let shown = "";
  let onData = (): void => {};
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    shown += text;
    onData();
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  return {
    shown: () => shown,
    async shows(text) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      onData = () => shown.includes(text) && resolve();
      onData();
      const fail = (): void => reject(new Error(`${JSON.stringify(text)} was not shown: ${JSON.stringify(shown)}`));
      const timer = setTimeout(fail, DEADLINE_MS);
      void ended.then(fail);
      await promise.finally(() => clearTimeout(timer));
    },
    type: (text) => void child.stdin.write(text),
    ended,
  };
}
