import { randomBytes } from "node:crypto";
import { describeWithServer } from "@tidemark/test-support/servers";
import { backends } from "./backend.ts";
import { killTransacts } from "./kill-transacts.ts";

await describeWithServer("postgres", ({ url }) => {
  killTransacts({
    kind: "postgres",
    url,
    placeIn: () => `kills_${randomBytes(6).toString("hex")}`,
    open: (place) => backends.postgres(url, place),
  });
});
