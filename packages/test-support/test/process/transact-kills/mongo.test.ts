import { randomBytes } from "node:crypto";
import { describeWithTransactions } from "@tidemark/test-support/transaction-gateway";
import { backends } from "./backend.ts";
import { killTransacts } from "./kill-transacts.ts";

await describeWithTransactions(({ url }) => {
  killTransacts({
    kind: "mongo",
    url,
    placeIn: () => `kills-${randomBytes(6).toString("hex")}`,
    open: (place) => backends.mongo(url, place),
  });
});
