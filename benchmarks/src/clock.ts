/** What a side of a comparison did while its clock ran. */
export interface Reading {
  readonly operations: number;
  readonly elapsedMs: number;
  /** CPU time of this process, all of its threads. */
  readonly cpuMicros: number;
}

/** Starts a clock; the call of what it gives stops it. */
export function startClock(): (operations: number) => Reading {
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  return (operations) => {
    const { user, system } = process.cpuUsage(cpu);
    return { operations, elapsedMs: performance.now() - startedAt, cpuMicros: user + system };
  };
}
