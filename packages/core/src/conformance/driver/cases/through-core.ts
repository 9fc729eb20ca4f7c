import { inspect } from "node:util";

import { createOffsetStore } from "../../../driver/create-offset-store.ts";
import { capabilitiesFault } from "../../store/capabilities-fault.ts";
import { eventually } from "../../store/eventually.ts";
import type { DriverConformanceCase } from "../driver-case.ts";
import type { AnyDriver, DriverConformanceContext } from "../driver-context.ts";
import { change, expectStored, mustBe, positionKey, put, read, readOne, write } from "../driver-calls.ts";

/** A store's time-out to begin with; twice as long for one whose calls take longer, and so on. */
const TIMEOUT_MS = 150;
const MAX_TIMEOUT_MS = 8 * TIMEOUT_MS;

/** What a driver and core come to together, and what lies beside the four verbs. */
export const throughCoreCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/late-create",
    clause: "4.2f",
    verb: "write",
    title: "a write of a new key that arrives long after its call was given up is stamped late, and no store sees it",
    run: async ({ driver }) => {
      const key = positionKey();
      let held: (() => Promise<unknown>) | undefined;
      const slow = over(driver, {
        write: (changes, given) => {
          held = () => driver.write(changes, { ...given, signal: new AbortController().signal });
          return new Promise(() => undefined);
        },
      });
      const token = "late";
      let timeout = TIMEOUT_MS / 2;
      let isRejected = true;
      // The time may be over before anything is written.
      await eventually("write is wrong: a claim of a new key writes", async () => {
        timeout = Math.min(MAX_TIMEOUT_MS, 2 * timeout);
        const given = createOffsetStore(slow, { timeout });
        const claiming = given.claim([{ key, token, owner: "o" }]);
        isRejected = await claiming.then(
          () => false,
          () => true,
        );
        return held !== undefined;
      });
      mustBe("write", isRejected, "a claim whose write does not end was answered");
      const { now: calledAt } = await read(driver, [key]);
      // Twice the time-out of the store: nothing is under way for so long. Times by a clock of steps are rounded.
      const lateMs = 3 * timeout + 3 * driver.capabilities.expiry.granularityMs;
      while ((await read(driver, [key])).now <= calledAt + lateMs) {
        await new Promise((resolve) => setTimeout(resolve, timeout / 5));
      }
      await held?.();
      const store = createOffsetStore(over(driver, { close: async () => undefined }));
      const [fetched] = await store.fetch([key]);
      const entry = await readOne(driver, key);
      mustBe("write", fetched?.status === "absent", `a claim came to be ${lateMs} ms late: ${inspect(entry)}`);
      const [claimed] = await store.claim([{ key, token: "next", owner: "o" }]);
      const found = claimed?.status === "claimed" ? claimed.record : claimed;
      mustBe("write", found === undefined, `a claim finds what came too late: ${inspect(found)}`);
      const [again] = await store.fetch([key]);
      mustBe("write", again?.status === "found", `what is written over a late one is ${inspect(again)}`);
    },
  },
  {
    id: "driver/unreadable",
    clause: "4.1b",
    verb: "read",
    title: "what the driver did not write is an error of its entry alone, in read and list, and can be removed",
    run: async (context) => {
      const { driver } = context;
      const [bad, fine] = [positionKey(), positionKey({ partition: 1 })];
      const changes = [change(bad), change(fine)];
      await put(driver, changes);
      if (!(await context.corrupt(bad))) return context.notPromised('durability: "none"');
      const { entries } = await read(driver, [bad, fine]);
      const store = createOffsetStore(over(driver, { close: async () => undefined }));
      // It may be one to the driver already, or only to who reads the text: either way it must come back as one.
      const [fetched] = await store.fetch([bad]);
      mustBe("read", fetched?.status === "failed", `a damaged entry is ${inspect(fetched)}`);
      const { code } = fetched.error;
      mustBe("read", code === "CORRUPT_RECORD", `a damaged entry fails with ${code}: ${fetched.error.message}`);
      mustBe("read", entries[1] !== undefined && !("error" in entries[1]), "a damaged entry takes another along");
      const [answer] = (await write(driver, [change(bad, { expected: [null] })])).answers;
      mustBe(
        "write",
        answer === "conflict",
        `a change that expects nothing over a damaged entry is ${inspect(answer)}`,
      );
      await put(driver, [change(bad, { value: undefined, expected: "any" })]);
      await expectStored(driver, bad, undefined, "the removal of a damaged entry");
    },
  },
  {
    id: "driver/transaction",
    clause: "4.2g",
    verb: "write",
    title: "inside a caller's transaction reads see its writes, others see them after its commit alone, or never",
    run: async (context) => {
      if (!context.hasTransactions()) return;
      const { driver } = context;
      const key = positionKey();
      const first = change(key, { value: "first" });
      await put(driver, [first]);
      for (const end of ["rollback", "commit"] as const) {
        const open = await context.beginTransaction();
        const { transaction } = open;
        const inside = change(key, { expected: [first.version], value: `inside, ${end}` });
        const missed = change(key, { expected: ["AAAAAAAAAAAA"], value: "missed" });
        const { answers } = await write(driver, [inside], { transaction });
        mustBe("write", answers[0] === "written", `inside a transaction a change is ${inspect(answers[0])}`);
        const conflict = (await write(driver, [missed], { transaction })).answers[0];
        mustBe("write", conflict === "conflict", `inside a transaction another version is ${inspect(conflict)}`);
        const seen = await readOne(driver, key, transaction);
        mustBe(
          "read",
          seen?.version === inside.version,
          "inside a transaction a read does not see what was written in it",
        );
        await expectOutside(context, first.version);
        await open[end]();
        const left = end === "commit" ? inside : first;
        await expectStored(driver, key, { version: left.version, value: left.value ?? "" }, `a ${end}`);
      }
    },
  },
  {
    id: "driver/capabilities",
    clause: "4.9",
    verb: "capabilities",
    title: "capabilities are plain data that make sense, frozen in all their parts",
    run: async ({ capabilities }) => {
      const fault = capabilitiesFault(capabilities);
      mustBe("capabilities", fault === undefined, `they ${fault}`);
    },
  },
];

async function expectOutside(context: DriverConformanceContext, version: string): Promise<void> {
  const other = context.driverOf(await context.openAnother());
  const entry = await readOne(other, positionKey());
  mustBe("write", entry?.version === version, "others see what was written in a transaction before it is committed");
}

/** The driver with some verbs replaced. */
function over(driver: AnyDriver, replaced: Partial<AnyDriver>): AnyDriver {
  return {
    name: driver.name,
    contractVersion: driver.contractVersion,
    capabilities: driver.capabilities,
    read: (...asked) => driver.read(...asked),
    write: (...asked) => driver.write(...asked),
    list: (...asked) => driver.list(...asked),
    classify: (error) => driver.classify(error),
    close: () => driver.close(),
    ...replaced,
  };
}
