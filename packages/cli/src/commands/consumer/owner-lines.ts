/** So many are named; the rest is counted. */
const NAMED = 5;

/** Says of those who claimed positions last what a reset does to them, if they still run. */
export function ownerLines(owners: readonly (string | undefined)[], isExecuted: boolean): string[] {
  const counts = new Map<string, number>();
  for (const owner of owners) if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const lines = [...counts].slice(0, NAMED).map(([owner, count]) => {
    const who = `${JSON.stringify(owner)} has claimed ${count} of these positions`;
    return isExecuted
      ? `${who}, and lost that: if it still runs it drops what it has in hand and goes on from the new position`
      : `${who}: if it still runs, --execute takes them out of its hands, and it goes on from there`;
  });
  if (counts.size > NAMED) lines.push(`and ${counts.size - NAMED} other owners`);
  return lines;
}
