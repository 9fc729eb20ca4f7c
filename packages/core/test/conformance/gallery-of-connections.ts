import type { Change, ChangeAnswer } from "@tidemark/core/driver";
import { type DriverExhibit, paging } from "./driver-exhibit.ts";
import { BackendGone, ConnectionReset } from "./sound-backend.ts";

/** How many connections a client usually has. */
const POOL = 10;

/** Drivers that hide what became of a connection. */
export const galleryOfConnections: readonly DriverExhibit[] = [
  {
    fault: "a read without a connection finds nothing",
    caseId: "driver/cut-off",
    says: /read is wrong: its backend cannot be reached, and it was answered/,
    surroundings: "remote",
    spoil: (driver) => ({
      read: (keys, context) =>
        driver.read(keys, context).catch(() => ({ now: driver.clock(), entries: keys.map(() => undefined) })),
    }),
  },
  {
    fault: "a broken connection is of no known kind",
    caseId: "driver/cut-off",
    says: /classify is wrong: what read rejects with when its backend cannot be reached is UNKNOWN/,
    surroundings: "remote",
    spoil: () => ({ classify: () => ({ code: "UNKNOWN", retryable: false, message: "something went wrong" }) }),
  },
  {
    fault: "nothing is left to remove in a backend that is gone",
    caseId: "driver/cut-off",
    says: /write is wrong: its backend cannot be reached, and it was answered: .*'written'/s,
    surroundings: "durable",
    spoil: writingWithoutBackend(({ expected, value }) =>
      expected === "any" && value === undefined ? "written" : undefined,
    ),
  },
  {
    fault: "nothing is as expected in a backend that is gone",
    caseId: "driver/cut-off",
    says: /write is wrong: its backend cannot be reached, and it was answered: .*'conflict'/s,
    surroundings: "durable",
    spoil: writingWithoutBackend(({ expected }) =>
      expected !== "any" && !expected.includes(null) ? "conflict" : undefined,
    ),
  },
  {
    fault: "a backend that is gone is an empty one to a listing",
    caseId: "driver/cut-off",
    says: /list is wrong: its backend cannot be reached, and it was answered: \[\]/,
    surroundings: "durable",
    spoil: paging(async function* (pages) {
      try {
        yield* pages;
      } catch (error) {
        if (!(error instanceof BackendGone)) throw error;
      }
    }),
  },
  {
    fault: "a listing ends where its connection breaks",
    caseId: "driver/listing-cut-off",
    says: /list is wrong: its connection broke, and it ended after \d+ of 2000/,
    surroundings: "remote",
    spoil: paging(async function* (pages) {
      try {
        yield* pages;
      } catch (error) {
        if (!(error instanceof ConnectionReset)) throw error;
      }
    }),
  },
  {
    fault: "a client sends a write again by itself",
    caseId: "driver/not-sent-again",
    says: /write is wrong: nothing had arrived, and it was answered/,
    surroundings: "remote",
    spoil: (driver) => ({
      write: (changes, context) => driver.write(changes, context).catch(() => driver.write(changes, context)),
    }),
  },
  {
    fault: "a write whose answer was lost is said to be a conflict",
    caseId: "driver/answer-lost",
    says: /write is wrong: its answer was lost, and it was answered/,
    surroundings: "remote",
    spoil: (driver) => ({
      write: (changes, context) => driver.write(changes, context).catch(() => driver.write(changes, context)),
    }),
  },
  {
    fault: "a driver's call that is given up keeps its connection",
    caseId: "driver/given-up",
    says: /write is wrong: it works again once nothing is in its way.*no connection is free/s,
    spoil: (driver) => {
      let free = POOL;
      return {
        write: (changes, context) => {
          if (free === 0) return Promise.reject(new Error("no connection is free"));
          context.signal.addEventListener("abort", () => void (free -= 1));
          return driver.write(changes, context);
        },
      };
    },
  },
  {
    fault: "an error that is none cannot be classified",
    caseId: "driver/classifies",
    says: /classify is wrong|Cannot read|undefined/,
    spoil: () => ({
      classify: (error) => ({ code: "UNKNOWN", retryable: false, message: (error as Error)?.message }),
    }),
  },
  {
    fault: "closing one client closes them all",
    caseId: "driver/close",
    says: /is closed/,
    spoil: (driver, shared) => ({
      close: async () => void shared.set("closed", true),
      read: async (keys, context) => {
        if (shared.has("closed")) throw new Error("read is wrong: the pool is closed");
        return driver.read(keys, context);
      },
    }),
  },
];

/** Writes that are answered while the backend is gone, as if it were an empty one. */
function writingWithoutBackend(answer: (asked: Change) => ChangeAnswer | undefined): DriverExhibit["spoil"] {
  return (driver) => ({
    write: (changes, context) =>
      driver.write(changes, context).catch((error: unknown) => {
        const answers = changes.flatMap((change) => answer(change) ?? []);
        if (!(error instanceof BackendGone) || answers.length < changes.length) throw error;
        return { changes: answers };
      }),
  });
}
