import { eventually } from "../../store/eventually.ts";
import type { DriverConformanceCase } from "../driver-case.ts";
import type { AnyDriver } from "../driver-context.ts";
import { change, memberKey, mustBe, pages, positionKey, put, read, readable, write } from "../driver-calls.ts";

const MINUTE_MS = 60_000;
/** Less than what clients put right by themselves that sign their requests (S3's: 5 minutes), and less than servers refuse. */
const SKEW_MS = 4 * MINUTE_MS;

/** The times of entries: the backend's own. */
export const stampCases: readonly DriverConformanceCase[] = [
  {
    id: "driver/stamps-each-write",
    clause: "4.2f",
    verb: "write",
    title: "each write is stamped with its own time, and leaves the times of all others as they are",
    run: async ({ driver }) => {
      const [key, left, member] = [positionKey(), positionKey({ partition: 1 }), memberKey()];
      await put(driver, [change(left), change(member)]);
      const before = await timesOf(driver, [left, member]);
      let last = 0;
      for (let round = 0; round < 3; round += 1) {
        await eventually("write is wrong: a later write shows a later time", async () => {
          const { writtenAt = 0 } = await write(driver, [change(key)], { timed: true });
          const [shown = 0] = await timesOf(driver, [key]);
          mustBe("write", shown === writtenAt, `it was answered to be at ${writtenAt}, and stamped ${shown}`);
          mustBe("write", writtenAt >= last, `the time of a write went back from ${last} to ${writtenAt}`);
          const isLater = writtenAt > last;
          last = writtenAt;
          return isLater;
        });
      }
      const after = await timesOf(driver, [left, member]);
      mustBe("write", after.join() === before.join(), "a write changed the time of an entry that it did not write");
    },
  },
  {
    id: "driver/one-clock",
    clause: "4.1c",
    verb: "read",
    title: "read, list and write go by one clock, through every client",
    run: async (context) => {
      const { granularityMs } = context.capabilities.expiry;
      const [driver, other] = (await context.drivers(2)) as [AnyDriver, AnyDriver];
      const key = positionKey();
      for (const reader of [driver, other]) {
        const { now: before } = await read(reader, [key]);
        const { writtenAt = 0 } = await write(driver, [change(key)], { timed: true });
        const { now: after } = await read(reader, [key]);
        const listing = await pages(reader, { kind: "position" });
        // A clock with a step may show the beginning of it, and so be behind one that has none.
        mustBe(
          "read",
          before - granularityMs <= writtenAt,
          `now was ${before}, and a write after it is at ${writtenAt}`,
        );
        mustBe("read", writtenAt - granularityMs <= after, `now is ${after}, and a write before it is at ${writtenAt}`);
        for (const { now } of listing) {
          mustBe("list", writtenAt - granularityMs <= now, `now is ${now}, and a write before it is at ${writtenAt}`);
          mustBe("list", now <= after + MINUTE_MS, `now is ${now}, and that of a read ${after}`);
        }
      }
    },
  },
  {
    id: "driver/not-the-clients-clock",
    clause: "4.2f",
    verb: "write",
    title: "a client whose clock is four minutes wrong stamps, reads and lists by the backend's clock all the same",
    run: async (context) => {
      if (!context.isRemote()) return;
      const [right, other] = (await context.drivers(2)) as [AnyDriver, AnyDriver];
      const key = positionKey();
      for (const skewMs of [SKEW_MS, -SKEW_MS]) {
        const { now: expected } = await read(right, [key]);
        const setRight = await context.setClientClock(skewMs);
        try {
          const { writtenAt = 0 } = await write(other, [change(key)], { timed: true });
          const { now, entries } = await read(other, [key]);
          const listing = await pages(other, { kind: "position" });
          const times: readonly (readonly ["read" | "write" | "list", string, number])[] = [
            ["write", "writtenAt", writtenAt],
            ["write", "the stamp of an entry", readable("read", entries[0])?.writtenAt ?? 0],
            ["read", "now", now],
            ...listing.map((page) => ["list", "now of a page", page.now] as const),
          ];
          for (const [verb, what, time] of times) {
            const offMs = time - expected;
            // Far from the clocks' difference, and from what a busy machine may take.
            mustBe(verb, Math.abs(offMs) < SKEW_MS / 2, `${what} is ${offMs} ms off through a client whose clock is`);
          }
        } finally {
          await setRight();
        }
      }
    },
  },
];

async function timesOf(driver: AnyDriver, keys: Parameters<typeof read>[1]): Promise<number[]> {
  const { entries } = await read(driver, keys);
  return entries.map((entry) => readable("read", entry)?.writtenAt ?? 0);
}
