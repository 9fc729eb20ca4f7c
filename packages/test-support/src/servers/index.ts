export type { MissingServer, OwnServer, RunningServer, S3Access, ServerName } from "./server.ts";
