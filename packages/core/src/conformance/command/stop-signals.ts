/** What asks the command to stop: Ctrl-C, a supervisor, and a terminal that is closed. */
export const STOP_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
