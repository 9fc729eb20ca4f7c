import type { ChangeAnswer, DriverKey, ListFilter, WriteAnswer } from "@tidemark/core/driver";
import { type DriverExhibit, paging } from "./driver-exhibit.ts";
import { nameOf, type Row } from "./sound-backend.ts";
import type { SoundDriver } from "./sound-driver.ts";

/** Drivers that stamp by a wrong clock, or take space back that is still in use. */
export const galleryOfTimes: readonly DriverExhibit[] = [
  {
    fault: "writes are stamped by the client's clock",
    caseId: "driver/not-the-clients-clock",
    says: /write is wrong: (writtenAt|the stamp of an entry) is -?\d+ ms off/,
    surroundings: "remote",
    spoil: (driver) => ({
      write: (changes, context) => restamped(driver, changes, driver.write(changes, context), () => Date.now()),
    }),
  },
  {
    fault: "a read returns the time of the client",
    caseId: "driver/not-the-clients-clock",
    says: /read is wrong: now is -?\d+ ms off/,
    surroundings: "remote",
    spoil: (driver) => ({
      read: async (keys, context) => ({ ...(await driver.read(keys, context)), now: Date.now() }),
    }),
  },
  {
    fault: "a listing returns the time of the client",
    caseId: "driver/not-the-clients-clock",
    says: /list is wrong: now of a page is -?\d+ ms off/,
    surroundings: "remote",
    spoil: paging(async function* (pages) {
      for await (const page of pages) yield { ...page, now: Date.now() };
    }),
  },
  {
    fault: "reads are answered by a replica whose clock is behind",
    caseId: "driver/one-clock",
    says: /read is wrong: now is \d+, and a write before it is at \d+/,
    spoil: (driver) => ({
      read: async (keys, context) => {
        const answer = await driver.read(keys, context);
        return { ...answer, now: answer.now - 5_000 };
      },
    }),
  },
  {
    fault: "what is written over keeps the time of the first write",
    caseId: "driver/stamps-each-write",
    says: /write is wrong: it was answered to be at \d+, and stamped \d+/,
    spoil: (driver) => ({
      write: (changes, context) => {
        const before = changes.map(({ key }) => driver.rows.get(nameOf(key))?.writtenAt);
        return restamped(
          driver,
          changes,
          driver.write(changes, context),
          (row, index) => before[index] ?? row.writtenAt,
        );
      },
    }),
  },
  {
    fault: "a write stamps all entries of its topic",
    caseId: "driver/stamps-each-write",
    says: /write is wrong: a write changed the time of an entry that it did not write/,
    spoil: (driver) => ({
      write: async (changes, context) => {
        const answer = await driver.write(changes, context);
        const now = driver.clock();
        for (const [name, row] of driver.rows) driver.put(name, { ...row, writtenAt: now });
        return { ...answer, writtenAt: now };
      },
    }),
  },
  {
    fault: "a write is stamped with the time of the read before it",
    caseId: "driver/late-create",
    says: /write is wrong: a claim came to be \d+ ms late/,
    spoil: (driver) => {
      let readAt = 0;
      return {
        read: async (keys, context) => {
          const answer = await driver.read(keys, context);
          if (readAt === 0) readAt = answer.now;
          return answer;
        },
        write: (changes, context) => restamped(driver, changes, driver.write(changes, context), () => readAt),
      };
    },
  },
  {
    fault: "space is reclaimed in half of the time",
    caseId: "driver/reclaims-not-early",
    says: /write is wrong: what may be reclaimed after \d+ ms was gone after \d+/,
    spoil: reclaiming((row, now) => now >= row.writtenAt + (row.reclaimAt - row.writtenAt) / 2),
  },
  {
    fault: "a time to be reclaimed cannot be taken back",
    caseId: "driver/reclaim-changed",
    says: /write is wrong: after its time to be reclaimed was changed to null/,
    spoil: (driver) => {
      const times = new Map<string, number>();
      const { write } = reclaiming((row, now) => now >= (times.get(nameOf(row.key)) ?? Infinity))(driver, new Map());
      return {
        write: async (changes, context) => {
          for (const { key, reclaimAfter } of changes) {
            if (typeof reclaimAfter === "number") times.set(nameOf(key), driver.clock() + reclaimAfter);
          }
          return write?.(changes, context) ?? { changes: [] };
        },
      };
    },
  },
  {
    fault: "a longer time to be reclaimed is passed over",
    caseId: "driver/reclaim-changed",
    says: /write is wrong: after its time to be reclaimed was changed to \d+/,
    spoil: (driver) => {
      const least = new Map<string, number>();
      const { write } = reclaiming((row, now) => now >= (least.get(nameOf(row.key)) ?? Infinity))(driver, new Map());
      return {
        write: async (changes, context) => {
          for (const { key, reclaimAfter } of changes) {
            const [name, before] = [nameOf(key), least.get(nameOf(key)) ?? Infinity];
            if (reclaimAfter === null) least.delete(name);
            else least.set(name, Math.min(before, driver.clock() + (reclaimAfter ?? Infinity)));
          }
          return write?.(changes, context) ?? { changes: [] };
        },
      };
    },
  },
  {
    fault: "space is reclaimed by the client's clock",
    caseId: "driver/reclaims-by-its-own-clock",
    says: /write is wrong: after writes of a client whose clock is 4 minutes off/,
    surroundings: "remote",
    spoil: (driver, shared) => reclaiming((row) => Date.now() >= row.reclaimAt)(driver, shared),
  },
  {
    fault: "what may be reclaimed is listed in one page",
    caseId: "driver/lists-what-may-be-reclaimed",
    says: /list is wrong: \d+ of 2500 are there, may be reclaimed, and are not listed with reclaimable/,
    spoil: paging(async function* (pages, { reclaimable }) {
      for await (const page of pages) {
        yield page;
        if (reclaimable === true) return;
      }
    }),
  },
  {
    fault: "what may be reclaimed is looked for by the time of the write before",
    caseId: "driver/lists-what-may-be-reclaimed",
    says: /list is wrong: \d+ of 2500 are there, may be reclaimed, and are not listed with reclaimable/,
    spoil: (driver) => {
      let writtenAt = 0;
      return {
        write: async (changes, context) => {
          const answer = await driver.write(changes, context);
          writtenAt = answer.writtenAt ?? writtenAt;
          return answer;
        },
        list: async function* (filter) {
          for await (const page of driver.list(filter)) {
            const entries = page.entries.filter(
              ({ key }) => (driver.rows.get(nameOf(key))?.reclaimAt ?? Infinity) <= writtenAt,
            );
            yield filter.reclaimable === true ? { ...page, entries } : page;
          }
        },
      };
    },
  },
  {
    fault: "what may be reclaimed is in no listing",
    caseId: "driver/lists-what-may-be-reclaimed",
    says: /list is wrong: 2500 of 2500 are there, may be reclaimed, and are not listed with reclaimable/,
    spoil: hidingDue(() => true),
  },
  {
    fault: "what may be reclaimed is listed with reclaimable alone",
    caseId: "driver/lists-what-may-be-reclaimed",
    says: /list is wrong: 2500 of 2500 are there, may be reclaimed, and are not listed without reclaimable/,
    spoil: hidingDue(({ reclaimable }) => reclaimable !== true),
  },
];

/** Listings without what may be reclaimed. */
function hidingDue(isHidden: (filter: ListFilter) => boolean): DriverExhibit["spoil"] {
  return (driver) => ({
    list: async function* (filter) {
      for await (const { now, entries } of driver.list(filter)) {
        const isLeft = (key: DriverKey): boolean => (driver.rows.get(nameOf(key))?.reclaimAt ?? 0) > now;
        yield { now, entries: isHidden(filter) ? entries.filter(({ key }) => isLeft(key)) : entries };
      }
    },
  });
}

/** Takes back what it is time for, beside every write. */
function reclaiming(isTime: (row: Row, now: number) => boolean): DriverExhibit["spoil"] {
  return (driver) => ({
    write: async (changes, context) => {
      const answer = await driver.write(changes, context);
      for (const [name, row] of driver.rows) {
        if (isTime(row, driver.clock())) driver.put(name, undefined);
      }
      return answer;
    },
  });
}

/** Stamps what was written with another time. */
async function restamped(
  driver: SoundDriver,
  changes: Parameters<SoundDriver["write"]>[0],
  writing: Promise<WriteAnswer>,
  time: (row: Row, index: number) => number,
): Promise<WriteAnswer> {
  const answer = await writing;
  const isWritten = (index: number): boolean => {
    const one: ChangeAnswer = answer.changes?.[index] ?? "written";
    return one === "written";
  };
  for (const [index, { key }] of changes.entries()) {
    const row = driver.rows.get(nameOf(key));
    if (row !== undefined && isWritten(index)) driver.put(nameOf(key), { ...row, writtenAt: time(row, index) });
  }
  return answer;
}
