import { inspect } from "node:util";

import type { DriverConformanceCase } from "../driver-case.ts";
import type { AnyDriver } from "../driver-context.ts";
import {
  change,
  expectStored,
  mustBe,
  positionKey,
  put,
  read,
  readable,
  write,
  writeOne,
  wrong,
} from "../driver-calls.ts";

const CLIENTS = 6;
const ROUNDS = 20;
const STEPS_EACH = 15;

/** Comparing and writing are one step. */
export const raceCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/one-of-many",
    clause: "4.2a",
    verb: "write",
    title: "of concurrent changes that expect the same version, or none, exactly one is written",
    run: async (context) => {
      const drivers = await context.drivers(CLIENTS);
      for (let round = 0; round < ROUNDS; round += 1) {
        const key = positionKey({ partition: round });
        const first = change(key);
        if (round % 2 === 0) await put(context.driver, [first]);
        const expected = [round % 2 === 0 ? first.version : null];
        const changes = drivers.map((_, client) => change(key, { expected, value: `client ${client}` }));
        const answers = await Promise.all(drivers.map((driver, client) => writeOne(driver, changes[client] ?? first)));
        const winners = changes.filter((_, client) => answers[client] === "written");
        const where = round % 2 === 0 ? "over one version" : "where nothing was";
        mustBe("write", winners.length === 1, `${winners.length} of ${CLIENTS} changes were written ${where}`);
        const odd = answers.find((answer) => answer !== "written" && answer !== "conflict");
        mustBe("write", odd === undefined, `a change that came too late is ${inspect(odd)}`);
        const [winner = first] = winners;
        await expectStored(context.driver, key, { version: winner.version, value: winner.value ?? "" }, "a race");
      }
    },
  },
  {
    id: "driver/none-lost",
    clause: "4.2a",
    verb: "write",
    title: `${CLIENTS} clients that count ${STEPS_EACH} steps each, on two keys in either order, lose none, and none waits for another`,
    run: async (context) => {
      const drivers = await context.drivers(CLIENTS);
      const keys = [positionKey(), positionKey({ topic: "other" })];
      await put(
        context.driver,
        keys.map((key) => change(key, { value: "0" })),
      );
      await Promise.all(drivers.map((driver, client) => count(driver, client % 2 === 0 ? keys : keys.toReversed())));
      const { entries } = await read(context.driver, keys);
      for (const entry of entries) {
        const counted = readable("read", entry)?.value;
        mustBe(
          "write",
          counted === String(CLIENTS * STEPS_EACH),
          `${counted} of ${CLIENTS * STEPS_EACH} steps are left`,
        );
      }
    },
  },
];

/** Adds one to each key, so many times; a conflict is read and tried again. */
async function count(driver: AnyDriver, keys: readonly ReturnType<typeof positionKey>[]): Promise<void> {
  for (let step = 0; step < STEPS_EACH; step += 1) {
    let open = keys;
    while (open.length > 0) {
      const { entries } = await read(driver, open);
      const changes = open.map((key, index) => {
        const entry = readable("read", entries[index]);
        if (entry === undefined) wrong("read", "what was written is not there");
        return change(key, { expected: [entry.version], value: String(Number(entry.value) + 1) });
      });
      const { answers } = await write(driver, changes);
      const failed = answers.find((answer) => typeof answer === "object");
      // Two that wait for each other have met a conflict: the one that gives way has written nothing.
      if (failed !== undefined) wrong("write", `a change in a race failed: ${inspect(failed)}`);
      open = open.filter((_, index) => answers[index] !== "written");
    }
  }
}
