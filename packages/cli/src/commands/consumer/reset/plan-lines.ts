import { counted } from "../../../text/visible-text.ts";
import type { PlannedReset, ResetPlan } from "./plan-reset.ts";

/** So many of each kind are named; the rest is counted. */
const NAMED = 10;

/** What there is to say of a plan beside its rows. */
export function planLines({ resets, withoutPosition }: ResetPlan): string[] {
  return [
    ...named(resets, ({ requested }) => requested !== undefined, clampedLine),
    ...named(resets, ({ isBeyondTime }) => isBeyondTime, beyondTimeLine),
    ...named(resets, isOutside, outsideLine),
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
  return `${placeOf(planned)}: offset ${requested} lies ${where}, ${to} is taken`;
}

function beyondTimeLine(planned: PlannedReset): string {
  return `${placeOf(planned)}: has no record as late as that, its end ${planned.to} is taken`;
}

/** Only a position that is to stay where it is may lie outside. */
function isOutside({ to, earliest, latest }: PlannedReset): boolean {
  return to < earliest || to > latest;
}

function outsideLine(planned: PlannedReset): string {
  const { to, earliest, latest } = planned;
  return `${placeOf(planned)}: offset ${to} lies outside of the log (${earliest} to ${latest}) and stays; a consumer goes on there as its reset policy says`;
}

function placeOf({ topic, partition }: PlannedReset): string {
  return `topic ${JSON.stringify(topic)} partition "${partition}"`;
}
