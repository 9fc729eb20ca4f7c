import { homedir } from "node:os";
import { join } from "node:path";

/** Variables of the environment. */
export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The folder for the data of this user: `$XDG_DATA_HOME/tidemark`, or where the platform keeps such things.
 *
 * @throws an error of the system if the user has no home, as in many a container.
 */
export function dataFolder(environment: Environment): string {
  const given = valueOf(environment, "XDG_DATA_HOME");
  if (given !== undefined) return join(given, "tidemark");
  switch (process.platform) {
    case "darwin":
      return join(homedir(), "Library", "Application Support", "tidemark");
    case "win32":
      return join(valueOf(environment, "LOCALAPPDATA") ?? join(homedir(), "AppData", "Local"), "tidemark");
    default:
      return join(homedir(), ".local", "share", "tidemark");
  }
}

/** The folder for the settings of this user: `$XDG_CONFIG_HOME/tidemark`, or where the platform keeps such things. `undefined`: a user without a home has none. */
export function configFolder(environment: Environment): string | undefined {
  try {
    return configFolderOfUser(environment);
  } catch {
    return undefined;
  }
}

function configFolderOfUser(environment: Environment): string {
  const given = valueOf(environment, "XDG_CONFIG_HOME");
  if (given !== undefined) return join(given, "tidemark");
  switch (process.platform) {
    case "darwin":
      return join(homedir(), "Library", "Preferences", "tidemark");
    case "win32":
      return join(valueOf(environment, "APPDATA") ?? join(homedir(), "AppData", "Roaming"), "tidemark");
    default:
      return join(homedir(), ".config", "tidemark");
  }
}

/** A variable's value; one that is empty counts as not set, as in a shell's `VARIABLE= command`. */
export function valueOf(environment: Environment, name: string): string | undefined {
  const value = environment[name];
  return value === undefined || value === "" ? undefined : value;
}
