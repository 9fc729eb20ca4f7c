import type { Observation } from "./observe.ts";

/** What is before this counts for a third: sessions write positions every few seconds, not all the time. */
const TIME_CONSTANT_MS = 30_000;

interface Pace {
  nextOffset: bigint;
  atMs: number;
  /** Absent: seen once only. */
  perSecond: number | undefined;
}

/** How fast positions move, smoothed over half a minute. */
export interface ReadingRates {
  /** Takes the next observation. Positions that it does not have are forgotten. */
  update(observation: Observation): void;
  /** Records per second; `undefined` until a position has been seen twice. */
  of(consumer: string, topic: string, partition: number): number | undefined;
}

/** Makes rates that know nothing yet. */
export function createReadingRates(): ReadingRates {
  const paces = new Map<string, Pace>();
  return {
    update({ atMs, consumers }) {
      for (const { name, positions } of consumers) {
        for (const { topic, partition, nextOffset } of positions) {
          if (nextOffset === undefined) continue;
          const key = keyText(name, topic, partition);
          const pace = paces.get(key);
          if (pace === undefined) paces.set(key, { nextOffset, atMs, perSecond: undefined });
          else move(pace, nextOffset, atMs);
        }
      }
      for (const [key, pace] of paces) if (pace.atMs !== atMs) paces.delete(key);
    },
    of(consumer, topic, partition) {
      const perSecond = paces.get(keyText(consumer, topic, partition))?.perSecond;
      // What is left of a reading long ago.
      return perSecond !== undefined && perSecond < 0.005 ? 0 : perSecond;
    },
  };
}

function move(pace: Pace, nextOffset: bigint, atMs: number): void {
  const elapsedMs = atMs - pace.atMs;
  if (nextOffset < pace.nextOffset) {
    // Moved back by a reset: what comes after is a new reading.
    pace.perSecond = undefined;
  } else if (elapsedMs > 0) {
    const now = (Number(nextOffset - pace.nextOffset) * 1000) / elapsedMs;
    const { perSecond } = pace;
    // The first interval is all that is known.
    const weight = 1 - Math.exp(-elapsedMs / TIME_CONSTANT_MS);
    pace.perSecond = perSecond === undefined ? now : perSecond + weight * (now - perSecond);
  }
  pace.nextOffset = nextOffset;
  pace.atMs = atMs;
}

/** Any string is a legal name; no partition has a slash. */
function keyText(consumer: string, topic: string, partition: number): string {
  return `${consumer.length}/${partition}/${consumer}${topic}`;
}
