import { testOffsetStore, testOffsetStoreDriver } from "@tidemark/core/conformance";
import { describe, it } from "vitest";
import { pgliteHarness } from "./pglite-harness.ts";

const harness = pgliteHarness("postgres store on PGlite");
/** PGlite has one session: while a transaction is open in it everybody else waits. Two cases look at it from outside meanwhile. */
const LOOKS_FROM_OUTSIDE = "driver/transaction";

testOffsetStoreDriver(
  {
    describe,
    it: (name, run, timeout) => (name.includes(` ${LOOKS_FROM_OUTSIDE}:`) ? it.fails : it)(name, run, timeout),
  },
  harness,
);
testOffsetStore({ describe, it }, harness, {
  knownDeviations: {
    "transaction/commits-with-it": "PGlite has one session, in which others wait for the transaction",
  },
});
