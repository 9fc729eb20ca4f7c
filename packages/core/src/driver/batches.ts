/** Cuts what a call asks for into parts that a backend takes in one request, in the order asked. */
export function batchesOf<Entry>(entries: readonly Entry[], maxBatch: number): (readonly Entry[])[] {
  if (entries.length > 0 && entries.length <= maxBatch) return [entries];
  const batches: (readonly Entry[])[] = [];
  for (let start = 0; start < entries.length; start += maxBatch) batches.push(entries.slice(start, start + maxBatch));
  return batches;
}
