/** So many are named; the rest is counted. */
const NAMED = 5;

/** Says of those who claimed positions last what a reset does to them, if they still run. */
export function ownerLines(owners: readonly (string | undefined)[], isExecuted: boolean): string[] {
  const counts = new Map<string, number>();
  for (const owner of owners) if (owner !== undefined) counts.set(owner, (counts.get(owner) ?? 0) + 1);
  const lines = [...counts].slice(0, NAMED).map(([owner, count]) => {
    const [who, what] = [JSON.stringify(owner), `${count} of these positions: if it still runs`];
    return isExecuted
      ? `${who} held ${what}, it drops the records in hand and continues from the new position, or stops if it runs with --takeover`
      : `${who} holds ${what}, --execute makes it drop the records in hand and continue from the new position, or stop if it runs with --takeover`;
  });
  if (counts.size > NAMED) lines.push(`and ${counts.size - NAMED} other owners`);
  return lines;
}
