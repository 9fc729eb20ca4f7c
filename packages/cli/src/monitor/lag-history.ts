/** As many points as a plot can show. */
const MOST_POINTS = 360;

/** A plot goes back an hour, or as far as its points reach. */
const SPAN_MS = 3_600_000;

/** Lag over time. */
export interface LagHistory {
  /** In seconds since the epoch, ascending. */
  readonly times: readonly number[];
  /** Beside each time; `null`: it was not known. */
  readonly lags: readonly (number | null)[];
}

/** The lags of the last hour, of each consumer. */
export interface LagHistories {
  /** Adds one point: what each consumer's lag is; `undefined`: not known. Consumers that are not in it are forgotten. */
  add(atMs: number, lags: ReadonlyMap<string, bigint | undefined>): void;
  of(consumer: string): LagHistory;
}

/** Makes empty histories. A point is kept for each step of ten seconds, or each observation where they are rarer. */
export function createLagHistories(): LagHistories {
  const stepMs = SPAN_MS / MOST_POINTS;
  let times: number[] = [];
  let histories = new Map<string, Float64Array>();
  return {
    add(atMs, lags) {
      // Within a step the newest counts: the plot ends at what is shown beside it.
      const [before, last] = times.slice(-2);
      if (before !== undefined && last !== undefined && last - before < stepMs) times.pop();
      times.push(atMs);
      const isFull = times.length > MOST_POINTS;
      if (isFull) times = times.slice(1);
      const next = new Map<string, Float64Array>();
      for (const [consumer, lag] of lags) {
        const points = histories.get(consumer) ?? new Float64Array(MOST_POINTS).fill(NaN);
        if (isFull) points.copyWithin(0, 1);
        points[times.length - 1] = lag === undefined ? NaN : Number(lag);
        next.set(consumer, points);
      }
      histories = next;
    },
    of(consumer) {
      const points = histories.get(consumer);
      return {
        times: times.map((time) => time / 1000),
        lags: times.map((_, index) => {
          const lag = points?.[index];
          return lag === undefined || Number.isNaN(lag) ? null : lag;
        }),
      };
    },
  };
}
