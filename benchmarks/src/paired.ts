import { type Reading, startClock } from "./clock.ts";

/** One side of a comparison: does its work once and tells how many operations that were. */
export type Side = () => Promise<number> | number;

/** What a comparison measured. */
export interface Comparison {
  readonly name: string;
  /** Operations per second of the subject, the median of its rounds. */
  readonly subject: number;
  /** Operations per second of what it is compared with. */
  readonly baseline: number;
  /** Subject by baseline, round by round: the median. 1: as fast; below: slower. */
  readonly ratio: number;
  readonly lowestRatio: number;
  readonly highestRatio: number;
  /** The speed that a tenth of the subject's rounds reach by the baseline's: what others on the machine take shows least in it. */
  readonly fastestRatio: number;
  /** CPU time of this process for one operation, in microseconds, the medians; where that was measured. */
  readonly cpuMicros?: { readonly subject: number; readonly baseline: number };
}

/** One of several sides: does its work once, and keeps its own time, because not all of that work counts. */
export interface TimedSide {
  /** What it is called in the name of the comparison. */
  readonly name: string;
  readonly run: () => Promise<Reading>;
}

/**
 * Measures two sides in turn, A B B A ..., and takes the ratio within each round: the machine's speed drifts, and both
 * sides of a round drift with it. The first round warms up and does not count.
 */
export async function compare(name: string, rounds: number, subject: Side, baseline: Side): Promise<Comparison> {
  const results: { subject: number; baseline: number }[] = [];
  for (let round = 0; round <= rounds; round += 1) {
    const subjectFirst = round % 2 === 0;
    const first = await perSecond(subjectFirst ? subject : baseline);
    const second = await perSecond(subjectFirst ? baseline : subject);
    if (round === 0) continue;
    results.push(subjectFirst ? { subject: first, baseline: second } : { subject: second, baseline: first });
  }
  return comparison(name, results);
}

/**
 * Measures a subject and several others in each round, and takes the ratio to each of them within the round. Who comes first
 * moves on from round to round, and every other round goes backwards. The first round warms up and does not count.
 */
export async function compareWithMany(
  rounds: number,
  subject: TimedSide,
  others: readonly TimedSide[],
): Promise<Comparison[]> {
  const sides = [subject, ...others];
  const readings = new Map<TimedSide, Reading[]>(sides.map((side) => [side, []]));
  for (let round = 0; round <= rounds; round += 1) {
    const order = sides.map((_, index) => sides[(index + round) % sides.length] ?? subject);
    for (const side of round % 2 === 0 ? order : order.toReversed()) {
      globalThis.gc?.();
      const reading = await side.run();
      if (round > 0) readings.get(side)?.push(reading);
    }
  }
  const of = (side: TimedSide, figure: (reading: Reading) => number): number[] =>
    (readings.get(side) ?? []).map((reading) => figure(reading));
  const cpu = ({ cpuMicros, operations }: Reading): number => cpuMicros / operations;
  const subjects = of(subject, speedOf);
  return others.map((other) => {
    const results = of(other, speedOf).map((baseline, round) => ({ subject: subjects[round] ?? 0, baseline }));
    const cpuMicros = { subject: median(of(subject, cpu)), baseline: median(of(other, cpu)) };
    return { ...comparison(`${subject.name}, against ${other.name}`, results), cpuMicros };
  });
}

function comparison(name: string, results: readonly { readonly subject: number; readonly baseline: number }[]) {
  const ratios = results.map(({ subject, baseline }) => subject / baseline);
  const subjects = results.map(({ subject }) => subject);
  const baselines = results.map(({ baseline }) => baseline);
  return {
    name,
    subject: median(subjects),
    baseline: median(baselines),
    ratio: median(ratios),
    lowestRatio: Math.min(...ratios),
    highestRatio: Math.max(...ratios),
    fastestRatio: fastestTenth(subjects) / fastestTenth(baselines),
  };
}

async function perSecond(side: Side): Promise<number> {
  globalThis.gc?.();
  const stop = startClock();
  return speedOf(stop(await side()));
}

function speedOf({ operations, elapsedMs }: Reading): number {
  return (operations / elapsedMs) * 1_000;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}

/** What a tenth of the values reach. */
function fastestTenth(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => b - a);
  return sorted[Math.floor(sorted.length / 10)] ?? 0;
}
