import { inspect } from "node:util";

import type { DriverKey } from "../../../driver/driver.ts";
import { JOINED, ODD_NAMES } from "../../store/odd-names.ts";
import type { DriverConformanceCase } from "../driver-case.ts";
import type { AnyDriver } from "../driver-context.ts";
import {
  change,
  expectStored,
  identityOf,
  listed,
  memberKey,
  mustBe,
  positionKey,
  put,
  read,
  readable,
  writeOne,
  wrong,
} from "../driver-calls.ts";

/** What an entry is stored under: positions and members, under any names. */
export const keyCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/positions-and-members",
    clause: "4.6b",
    verb: "write",
    title: "a position and a member never meet under any names, and are listed apart",
    run: async ({ driver }) => {
      const members = ["", "0", "1", "p0", "partition", "0/", "-0", "00"].map((member) => memberKey({ member }));
      const positions = [0, 1, 10].map((partition) => positionKey({ partition }));
      const changes = [...positions, ...members].map((key, index) =>
        change(key, { expected: [null], value: `v${index}` }),
      );
      for (const one of changes) {
        const answer = await writeOne(driver, one);
        if (answer !== "written") wrong("write", `${identityOf(one.key)} meets another key: ${inspect(answer)}`);
      }
      for (const { key, version, value = "" } of changes)
        await expectStored(driver, key, { version, value }, "all writes");
      for (const kind of ["position", "member"] as const) {
        const expected = (kind === "position" ? positions : members).map(identityOf).toSorted();
        for (const filter of [{}, { consumer: "c1" }, { topic: "orders" }, { consumer: "c1", topic: "orders" }]) {
          const seen = [...(await listed(driver, { kind, ...filter })).keys()].toSorted();
          const isSame = seen.join() === expected.join();
          mustBe(
            "list",
            isSame,
            `of kind ${kind} with ${inspect(filter)} it gives ${seen.join()}, not ${expected.join()}`,
          );
        }
      }
      const [group, first] = [memberKey({ member: "" }), positionKey()];
      for (const key of [group, first]) await put(driver, [change(key, { value: undefined })]);
      for (const { key, version, value = "" } of changes) {
        const isGone = [group, first].some((removed) => identityOf(removed) === identityOf(key));
        await expectStored(
          driver,
          key,
          isGone ? undefined : { version, value },
          "a member and a position were removed",
        );
      }
    },
  },
  {
    id: "driver/odd-topics",
    clause: "4.6a",
    verb: "write",
    title: "any string of 1 to 255 UTF-8 bytes is a topic: all are kept apart and come back as they were",
    run: ({ driver }) =>
      keepApart(
        driver,
        ODD_NAMES.map((topic) => positionKey({ topic })),
      ),
  },
  {
    id: "driver/odd-consumers",
    clause: "4.6a",
    verb: "write",
    title: "any string of 1 to 255 UTF-8 bytes is a consumer: all are kept apart and come back as they were",
    run: ({ driver }) =>
      keepApart(
        driver,
        ODD_NAMES.map((consumer) => positionKey({ consumer })),
      ),
  },
  {
    id: "driver/odd-members",
    clause: "4.6a",
    verb: "write",
    title: "any string of up to 255 UTF-8 bytes is a member: all are kept apart and come back as they were",
    run: ({ driver }) =>
      keepApart(
        driver,
        ["", ...ODD_NAMES].map((member) => memberKey({ member })),
      ),
  },
  {
    id: "driver/names-joined",
    clause: "4.6a",
    verb: "write",
    title:
      'consumer "a:b" with topic "c" and consumer "a" with topic "b:c" are two keys, no matter how names are joined',
    run: async ({ driver }) => {
      await keepApart(driver, JOINED);
      await keepApart(
        driver,
        JOINED.map(({ consumer, topic, partition }) => ({ consumer, topic, member: String(partition) })),
      );
    },
  },
  {
    id: "driver/namespaces",
    clause: "4.6c",
    verb: "write",
    title: "drivers of two namespaces never meet, however much their names have in common",
    run: async (context) => {
      const { driver } = context;
      const [key, member] = [positionKey(), memberKey()];
      const mine = [change(key), change(member)];
      await put(driver, mine);
      const names = [
        (namespace: string) => `${namespace}0`,
        (namespace: string) => `${namespace} `,
        (namespace: string) => `${namespace}:c1`,
        (namespace: string) => namespace.toUpperCase(),
      ];
      for (const nameAfter of names) {
        const near = context.driverOf(await context.openElsewhere(nameAfter));
        const called = inspect(nameAfter("NAMESPACE"));
        for (const one of mine)
          await expectStored(near, one.key, undefined, `a write in the namespace before ${called}`);
        await put(near, [change(key), change(member, { value: undefined })]);
        for (const { key: own, version, value = "" } of mine) {
          await expectStored(driver, own, { version, value }, `writes in the namespace ${called}`);
        }
      }
    },
  },
];

async function keepApart(driver: AnyDriver, keys: readonly DriverKey[]): Promise<void> {
  const changes = keys.map((key, index) => change(key, { expected: [null], value: `value ${index}` }));
  await put(driver, changes);
  const kind = "partition" in (keys[0] ?? positionKey()) ? "position" : "member";
  const all = await listed(driver, { kind });
  const { maxBatch } = driver.capabilities;
  for (let from = 0; from < changes.length; from += maxBatch) {
    const part = changes.slice(from, from + maxBatch);
    const { entries } = await read(
      driver,
      part.map(({ key }) => key),
    );
    for (const [index, { key, version, value }] of part.entries()) {
      const entry = readable("read", entries[index]);
      const isRight = entry?.version === version && entry.value === value;
      if (!isRight)
        wrong("read", `${identityOf(key)} is ${inspect(entry)}, and should be ${inspect({ version, value })}`);
      mustBe("list", all.has(identityOf(key)), `${identityOf(key)} is not listed`);
      const byList = readable("list", all.get(identityOf(key)));
      mustBe("list", byList?.version === version, `${identityOf(key)} is listed as ${inspect(byList)}`);
    }
  }
  mustBe("list", all.size >= keys.length, `${all.size} entries are listed, and ${keys.length} are there`);
}
