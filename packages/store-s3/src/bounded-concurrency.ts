/** Runs a task for each item, at most so many at a time; the results come in the order of the items. */
export async function mapBounded<Item, Result>(
  items: readonly Item[],
  concurrency: number,
  task: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next; index < items.length; index = next) {
      next += 1;
      results[index] = await task(items[index] as Item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
  return results;
}

/** Starts tasks for items as they come, at most so many ahead of the reader, and gives the results in the same order. */
export async function* streamBounded<Item, Result>(
  items: AsyncIterable<readonly Item[]>,
  concurrency: number,
  task: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, undefined> {
  const running: Promise<Result>[] = [];
  for await (const page of items) {
    for (const item of page) {
      const started = task(item);
      // Its failure is reported when its turn comes, not as an unhandled rejection before.
      started.catch(() => undefined);
      running.push(started);
      if (running.length < concurrency) continue;
      yield await (running.shift() as Promise<Result>);
    }
  }
  for (const started of running) yield await started;
}
