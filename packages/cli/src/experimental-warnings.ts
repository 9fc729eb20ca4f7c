import { say } from "./context/standard-streams.ts";

/** Keeps Node's `ExperimentalWarning`s (SQLite is one, up to Node 24) from the user, who can do nothing about them. */
export function hideExperimentalWarnings(): void {
  process.removeAllListeners("warning");
  process.on("warning", (warning) => {
    if (warning.name !== "ExperimentalWarning") say(`${warning.name}: ${warning.message}`);
  });
}
