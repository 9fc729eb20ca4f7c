import type { LeftAlone, PlannedReset, ResetPlan } from "@tidemark/core/positions";
import { counted } from "../../../text/visible-text.ts";

/** So many of each kind are named; the rest is counted. */
const NAMED = 10;

/** So many places are named in one line. */
const NAMED_TOGETHER = 5;

/** What there is to say of a plan beside its rows. */
export function planLines({ resets, withoutPosition, leftAlone }: ResetPlan): string[] {
  return [
    ...named(resets, ({ requested }) => requested !== undefined, clampedLine),
    ...named(resets, ({ isBeyondTime }) => isBeyondTime, beyondTimeLine),
    ...named(resets, isOutside, outsideLine),
    ...named(resets, isOfOtherRecords, otherRecordsLine),
    ...leftAloneLines(leftAlone),
    ...(withoutPosition === 0
      ? []
      : [
          `left out: ${counted(withoutPosition, "partition")} claimed without a position yet; to give them one, name the topic with --topic`,
        ]),
  ];
}

function named(
  resets: readonly PlannedReset[],
  isMeant: (planned: PlannedReset) => boolean,
  lineOf: (planned: PlannedReset) => string,
): string[] {
  const meant = resets.filter(isMeant);
  const lines = meant.slice(0, NAMED).map((planned) => `warning: ${lineOf(planned)}`);
  if (meant.length > NAMED) lines.push(`warning: the same of ${counted(meant.length - NAMED, "more partition")}`);
  return lines;
}

function clampedLine(planned: PlannedReset): string {
  const { requested, to, latest } = planned;
  const where = requested !== undefined && requested > latest ? "beyond the log's end" : "before the log's beginning";
  return `${placeOf(planned)}: offset ${requested} lies ${where}, ${to} is used`;
}

function beyondTimeLine(planned: PlannedReset): string {
  return `${placeOf(planned)}: has no record at or after this time, its end ${planned.to} is used`;
}

/** Only a position that is to stay where it is may lie outside. */
function isOutside({ to, earliest, latest }: PlannedReset): boolean {
  return to < earliest || to > latest;
}

function outsideLine(planned: PlannedReset): string {
  const { to, earliest, latest } = planned;
  return `${placeOf(planned)}: offset ${to} lies outside of the log (${earliest} to ${latest}) and is kept; a consumer continues there as its reset policy chooses`;
}

/** Whether the log has other records now than those that the position before the reset came from. */
function isOfOtherRecords({ undoes }: PlannedReset): boolean {
  return undoes?.reason === "other-log" || undoes?.reason === "truncated";
}

function otherRecordsLine(planned: PlannedReset): string {
  const { undoes } = planned;
  const offset = `offset ${undoes?.nextOffset}`;
  const why =
    undoes?.reason === "other-log"
      ? `the topic was recreated: ${offset} belongs to the deleted topic`
      : `the log was truncated: the records before ${offset} may not be those that the consumer read`;
  return `${placeOf(planned)}: was reset because ${why}`;
}

function leftAloneLines(leftAlone: readonly LeftAlone[]): string[] {
  const line = (why: LeftAlone["why"], text: string, advice: string): string[] => {
    const places = leftAlone.filter((one) => one.why === why);
    return places.length === 0 ? [] : [`not changed, ${text}: ${placesText(places)}${advice}`];
  };
  return [
    ...line("no-reset", "no reset to undo", ""),
    ...line("no-position", "no position before the reset", "; to remove its position, use tidemark consumer delete"),
  ];
}

function placesText(places: readonly LeftAlone[]): string {
  const first = places.slice(0, NAMED_TOGETHER).map(placeOf).join(", ");
  return places.length > NAMED_TOGETHER ? `${first} and ${places.length - NAMED_TOGETHER} more` : first;
}

function placeOf({ topic, partition }: PlannedReset | LeftAlone): string {
  return `topic ${JSON.stringify(topic)} partition "${partition}"`;
}
