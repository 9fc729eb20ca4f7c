/** Writes the time that is left in one unit, rounded down: `3 days`, `23 hr`, `20 min`, `23 sec`. Days from 48 hours on. */
export function formatRemainingTime(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds >= 48 * 3600) return `${Math.floor(seconds / 86_400)} days`;
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} hr`;
  if (seconds >= 60) return `${Math.floor(seconds / 60)} min`;
  return `${seconds} sec`;
}
