import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ServerCommand } from "./server-process.ts";

/** A program that can be run on a server's folder, wherever it came from. */
export interface ServerProgram {
  /** The folder as the program sees it. */
  inside(folder: string): string;
  /** How to run it. */
  command(folder: string, args: readonly string[], env?: Readonly<Record<string, string>>): ServerCommand;
}

/** A program of this machine. */
export function localProgram(path: string): ServerProgram {
  return {
    inside: (folder) => folder,
    command: (_folder, args, env = {}) => ({ command: path, args, env }),
  };
}

/** A program of this machine that refuses to be run by root: then it runs as nobody. */
export function unprivilegedProgram(path: string): ServerProgram {
  if (process.getuid?.() !== 0) return localProgram(path);
  // What changes its user is untied by the system from its parent.
  const as = ["--reuid", "nobody", "--regid", "nogroup", "--clear-groups", "--pdeathsig", "QUIT"];
  return {
    inside: (folder) => folder,
    command: (_folder, args, env = {}) => ({
      command: "setpriv",
      args: [...as, path, ...args],
      env,
      endSignal: "SIGQUIT",
    }),
  };
}

// The mounts are in a name space of the process: they end with it, and no other run ever sees them.
const ENTER =
  'set -e; mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; mount --bind "$2" "$1/mnt"; ' +
  'root=$1; user=$3; shift 3; exec chroot --userspec="$user" "$root" "$@"';

/** A program of the Debian folder that the install script made, run as one of its users. */
export function debianProgram(root: string, path: string, user = "root"): ServerProgram {
  // PostgreSQL leaves shared memory behind unless it is asked to end. What changes its user is untied by the system from
  // its parent: it has to be tied again afterwards.
  const endSignal = user === "root" ? "SIGKILL" : "SIGQUIT";
  const tie = user === "root" ? [] : ["setpriv", "--pdeathsig", endSignal.slice("SIG".length)];
  return {
    inside: () => "/mnt",
    command: (folder, args, env = {}) => ({
      command: "unshare",
      args: ["--mount", "--propagation", "private", "sh", "-c", ENTER, "sh", root, folder, user, ...tie, path, ...args],
      env,
      endSignal,
    }),
  };
}

/** The ids of a user and the group of that user: on this machine, or in the Debian folder. */
export function userOf(root: string, name: string): { readonly uid: number; readonly gid: number } {
  const passwords = readFileSync(join(root, "etc", "passwd"), "utf8").split("\n");
  const [, , uid, gid] = passwords.find((line) => line.startsWith(`${name}:`))?.split(":") ?? [];
  if (uid === undefined || gid === undefined) throw new Error(`${root} has no user ${name}: install it again`);
  return { uid: Number(uid), gid: Number(gid) };
}

/** A program of an image. The container uses the machine's own network, as this user, and ends with this process. */
export function dockerProgram(image: string, program: string): ServerProgram {
  const user = process.getuid === undefined ? [] : ["--user", `${process.getuid()}:${process.getgid?.() ?? 0}`];
  return {
    inside: (folder) => folder,
    command(folder, args, env = {}) {
      const container = `tidemark-${process.pid}-${Math.random().toString(36).slice(2)}`;
      const variables = Object.keys(env).flatMap((name) => ["--env", name]);
      const place = ["--network", "host", "--volume", `${folder}:${folder}`, "--workdir", folder];
      return {
        command: "docker",
        args: ["run", "--rm", "--name", container, ...user, ...place, ...variables, image, program, ...args],
        env,
        // The client passes this on to the container; it could not pass on a SIGKILL.
        endSignal: "SIGTERM",
        container,
      };
    },
  };
}
