/** One side of a comparison: does its work once and tells how many operations that were. */
export type Side = () => Promise<number> | number;

/** What a comparison measured. */
export interface Comparison {
  readonly name: string;
  /** Operations per second of the subject, the median of its rounds. */
  readonly subject: number;
  /** Operations per second of what it is held against. */
  readonly baseline: number;
  /** Subject by baseline, round by round: the median. 1: as fast; below: slower. */
  readonly ratio: number;
  readonly lowestRatio: number;
  readonly highestRatio: number;
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
  const ratios = results.map((result) => result.subject / result.baseline);
  return {
    name,
    subject: median(results.map((result) => result.subject)),
    baseline: median(results.map((result) => result.baseline)),
    ratio: median(ratios),
    lowestRatio: Math.min(...ratios),
    highestRatio: Math.max(...ratios),
  };
}

async function perSecond(side: Side): Promise<number> {
  globalThis.gc?.();
  const startedAt = performance.now();
  const operations = await side();
  return operations / ((performance.now() - startedAt) / 1_000);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
