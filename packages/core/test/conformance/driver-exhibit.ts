import type { Change, ListFilter, ListPage, WriteAnswer } from "@tidemark/core/driver";
import type { DriverFault, Surroundings } from "./broken-store.ts";
import type { SoundDriver } from "./sound-driver.ts";

/** A broken driver, and the case that must name its fault. */
export interface DriverExhibit {
  readonly fault: string;
  readonly caseId: string;
  /** What the failure must say: first of all which verb is wrong. */
  readonly says: RegExp;
  readonly spoil: DriverFault;
  /** What kind of driver has the fault. Default: one in memory, as it is. */
  readonly surroundings?: Surroundings;
}

/** Writes other changes than were asked for. */
export function changing(change: (asked: Change, driver: SoundDriver) => Change): DriverFault {
  return (driver) => ({
    write: (changes, context) =>
      driver.write(
        changes.map((asked) => change(asked, driver)),
        context,
      ),
  });
}

/** Gives other pages than there are. */
export function paging(
  change: (pages: AsyncIterable<ListPage>, filter: ListFilter) => AsyncIterable<ListPage>,
): DriverFault {
  return (driver) => ({ list: (filter) => change(driver.list(filter), filter) });
}

/** The answers to a write, one for each change. */
export function answersOf({ changes }: WriteAnswer, asked: readonly Change[]): NonNullable<WriteAnswer["changes"]> {
  return changes ?? asked.map(() => "written");
}
