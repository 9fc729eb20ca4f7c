import { inspect } from "node:util";

import { eventually } from "../../store/eventually.ts";
import type { DriverConformanceCase } from "../driver-case.ts";
import { change, expectStored, mustBe, positionKey, put, readOne, write } from "../driver-calls.ts";

/** Transactions that the driver begins, without the store around them: what `transact` cannot be seen to bring about. */
export const ownTransactionCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/own-transaction",
    clause: "4.2h",
    verb: "begin",
    title: "what is written in a transaction that the driver began is stored by its commit, and not by its rollback",
    run: async (context) => {
      const { driver } = context;
      const key = positionKey();
      let stored = change(key, { value: "before" });
      await put(driver, [stored]);
      for (const end of ["rollback", "commit", "rollback", "commit"] as const) {
        const own = await context.begin();
        if (own === undefined) return;
        const { transaction } = own;
        // As core does: what is written in a transaction was read in it.
        const before = await readOne(driver, key, transaction);
        mustBe("read", before?.version === stored.version, "in a transaction a read does not see what is stored");
        const inside = change(key, { expected: [stored.version], value: `inside, ${end}` });
        const [answer] = (await write(driver, [inside], { transaction })).answers;
        mustBe("write", answer === "written", `in a transaction of the driver's own a change is ${inspect(answer)}`);
        const seen = await readOne(driver, key, transaction);
        mustBe("read", seen?.version === inside.version, "a read does not see what its own transaction has written");
        await own[end]();
        if (end === "commit") stored = inside;
        await expectStored(driver, key, { version: stored.version, value: stored.value ?? "" }, `a ${end}`);
      }
    },
  },
  {
    id: "driver/rollback-under-commit",
    clause: "4.2h",
    verb: "begin",
    title:
      "a rollback while the commit has no answer yet does not reject, and keeps neither the entry nor the driver locked",
    run: async (context) => {
      const { driver } = context;
      const key = positionKey();
      for (let attempt = 0; attempt < 5; attempt += 1) {
        const stored = change(key, { value: "before" });
        await eventually("write is wrong: an entry stays locked behind a transaction that has ended", async () => {
          const [answer] = (await write(driver, [stored])).answers;
          return answer === "written";
        });
        const own = await context.begin();
        if (own === undefined) return;
        await readOne(driver, key, own.transaction);
        const inside = change(key, { expected: [stored.version], value: "inside" });
        await write(driver, [inside], { transaction: own.transaction });
        let isCommitted = false;
        own.commit().then(
          () => (isCommitted = true),
          () => undefined,
        );
        const failure = await own.rollback().then(
          () => undefined,
          (error: unknown) => ({ error }),
        );
        mustBe(
          "begin",
          failure === undefined,
          `a rollback while the commit is under way rejects: ${inspect(failure?.error)}`,
        );
        await eventually("begin is wrong: of a transaction that was committed its write is missing", async () => {
          const seen = await readOne(driver, key);
          return seen?.version === inside.version || (seen?.version === stored.version && !isCommitted);
        });
      }
    },
  },
];
