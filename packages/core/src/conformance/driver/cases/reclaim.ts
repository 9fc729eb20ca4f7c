import type { DriverKey } from "../../../driver/driver.ts";
import { eventually } from "../../store/eventually.ts";
import type { DriverConformanceCase } from "../driver-case.ts";
import type { AnyDriver, DriverConformanceContext } from "../driver-context.ts";
import {
  change,
  expectStored,
  identityOf,
  listed,
  mustBe,
  positionKey,
  put,
  read,
  readOne,
  wrong,
} from "../driver-calls.ts";

const MINUTE_MS = 60_000;
const SKEW_MS = 4 * MINUTE_MS;
/** Less than the clocks differ. */
const RECLAIM_MS = 2 * MINUTE_MS;
const MANY = 2_500;

/** Space that the backend may take back: late, or never by itself, but not early. */
export const reclaimCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/reclaims-not-early",
    clause: "4.4",
    verb: "write",
    title: "what may be reclaimed later is there until then, also where others are written meanwhile",
    run: async (context) => {
      const { driver } = context;
      // On a machine that stalls the look comes too late, and nothing is proven: then once more, for longer.
      for (let reclaimAfter = soon(context); ; reclaimAfter *= 2) {
        const key = positionKey({ topic: `after ${reclaimAfter}` });
        await put(driver, [change(key, { reclaimAfter })]);
        const writtenAt = (await readOne(driver, key))?.writtenAt ?? 0;
        let looksAtLast = 0;
        for (let step = 0, now = writtenAt; now < writtenAt + reclaimAfter; step += 1) {
          await put(driver, [
            change(positionKey({ partition: step % 5 }), { reclaimAfter: step % 2 === 0 ? null : 1 }),
          ]);
          const answer = await read(driver, [key]);
          ({ now } = answer);
          if (answer.entries[0] === undefined && now < writtenAt + reclaimAfter) {
            wrong("write", `what may be reclaimed after ${reclaimAfter} ms was gone after ${now - writtenAt}`);
          }
          if (now >= writtenAt + 0.6 * reclaimAfter && now < writtenAt + reclaimAfter) looksAtLast += 1;
          await new Promise((resolve) => setTimeout(resolve, reclaimAfter / 20));
        }
        if (looksAtLast > 0) return;
        mustBe("read", reclaimAfter < 20_000, `it takes longer than ${reclaimAfter / 3} ms to look`);
      }
    },
  },
  {
    id: "driver/reclaim-changed",
    clause: "4.4",
    verb: "write",
    title: "a later write that gives another time, or none, takes the earlier one back",
    run: async (context) => {
      const { driver } = context;
      const reclaimAfter = soon(context);
      const [never, later, short, always] = [0, 1, 2, 3].map((partition) => positionKey({ partition }));
      const kept = [
        change(never ?? positionKey(), { reclaimAfter: null }),
        change(later ?? positionKey(), { reclaimAfter: 100 * MINUTE_MS }),
        change(always ?? positionKey(), { reclaimAfter: undefined }),
      ];
      const mortal = [never, later, short].map((key) => change(key ?? positionKey(), { reclaimAfter }));
      await put(driver, mortal);
      await put(driver, kept);
      const renewed = await readOne(driver, later ?? positionKey());
      await untilNow(driver, (renewed?.writtenAt ?? 0) + 2 * reclaimAfter);
      // A backend that does it when it is written to has had its occasion then.
      for (let partition = 10; partition < 20; partition += 1) await put(driver, [change(positionKey({ partition }))]);
      await listed(driver, { kind: "position", reclaimable: true });
      for (const one of kept) {
        const { version, value = "" } = one;
        await expectStored(
          driver,
          one.key,
          { version, value },
          `its time to be reclaimed was changed to ${one.reclaimAfter}`,
        );
      }
    },
  },
  {
    id: "driver/reclaims-by-its-own-clock",
    clause: "4.4",
    verb: "write",
    title: "a client whose clock is four minutes wrong has nothing reclaimed early",
    run: async (context) => {
      if (!context.isRemote()) return;
      const [right, other] = (await context.drivers(2)) as [AnyDriver, AnyDriver];
      for (const skewMs of [SKEW_MS, -SKEW_MS]) {
        const [mine, theirs] = [positionKey(), positionKey({ partition: 1 })];
        const [byRight, byWrong] = [mine, theirs].map((key) => change(key, { reclaimAfter: RECLAIM_MS }));
        if (byRight === undefined || byWrong === undefined) return;
        await put(right, [byRight]);
        const setRight = await context.setClientClock(skewMs);
        try {
          await put(other, [byWrong]);
          await put(other, [change(positionKey({ partition: 2 }))]);
        } finally {
          await setRight();
        }
        await put(right, [change(positionKey({ partition: 3 }))]);
        for (const { key, version, value = "" } of [byRight, byWrong]) {
          await expectStored(
            right,
            key,
            { version, value },
            `writes of a client whose clock is ${skewMs / MINUTE_MS} minutes off`,
          );
        }
      }
    },
  },
  {
    id: "driver/lists-what-may-be-reclaimed",
    clause: "4.3a",
    verb: "list",
    title: `of ${MANY} entries whose time has come each is reclaimed or listed, with reclaimable and without, however many pages that takes`,
    run: async (context) => {
      const { driver } = context;
      const reclaimAfter = soon(context);
      const keys = Array.from({ length: MANY }, (_, index) =>
        positionKey({ topic: `t${index % 5}`, partition: Math.floor(index / 5) }),
      );
      await put(
        driver,
        keys.map((key) => change(key, { reclaimAfter })),
      );
      // A neighbour that lives: what lies beside it is not to be overlooked, nor it to be taken along.
      const living = change(positionKey({ topic: "t0", partition: MANY }), { reclaimAfter: 100 * MINUTE_MS });
      await put(driver, [living]);
      const last = await readOne(driver, living.key);
      await untilNow(driver, (last?.writtenAt ?? 0) + reclaimAfter);
      const reclaimable = await listed(driver, { kind: "position", reclaimable: true });
      const all = await listed(driver, { kind: "position" });
      // In this order: what is reclaimed meanwhile is not there any more. And by `read`: both listings may be wrong.
      const left = await keptOf(driver, keys);
      for (const [listing, how] of [
        [reclaimable, "with reclaimable"],
        [all, "without reclaimable"],
      ] as const) {
        const overlooked = left.filter((key) => !listing.has(identityOf(key))).length;
        const what = `${overlooked} of ${MANY} are there, may be reclaimed, and are not listed ${how}`;
        mustBe("list", overlooked === 0, what);
      }
      await expectStored(
        driver,
        living.key,
        { version: living.version, value: living.value ?? "" },
        "its neighbours' time",
      );
    },
  },
];

/** Milliseconds that are soon over, and long enough for a busy machine to look meanwhile. */
function soon({ capabilities }: DriverConformanceContext): number {
  return Math.max(400, 2 * capabilities.expiry.granularityMs);
}

/** Those of many keys under which something is stored. */
async function keptOf(driver: AnyDriver, keys: readonly DriverKey[]): Promise<DriverKey[]> {
  const { maxBatch } = driver.capabilities;
  const kept: DriverKey[] = [];
  for (let from = 0; from < keys.length; from += maxBatch) {
    const part = keys.slice(from, from + maxBatch);
    const { entries } = await read(driver, part);
    kept.push(...part.filter((_, at) => entries[at] !== undefined));
  }
  return kept;
}

async function untilNow(driver: AnyDriver, time: number): Promise<void> {
  await eventually("read is wrong: now advances", async () => (await read(driver, [positionKey()])).now >= time);
}
