import type { ConsumerEvent } from "@tidemark/core";

type StartedEvent = ConsumerEvent & { readonly type: "started" };

/**
 * Reports that a name starts without a position: a position that was expected and is not there, for a mistyped name or store, shows
 * by nothing else. What begins together is one line.
 *
 * @param isVerbose - Each partition has a line of its own.
 */
export function createFirstStarts(
  consumer: string,
  isVerbose: boolean,
  say: (line: string) => void,
): (event: StartedEvent) => void {
  const noPosition = `consumer ${JSON.stringify(consumer)} has no position yet`;
  let together: StartedEvent[] = [];
  const tell = (): void => {
    const events = together;
    together = [];
    const [first] = events;
    if (first === undefined) return;
    const topic = `topic ${JSON.stringify(first.topic)}`;
    if (events.length > 1 && !isVerbose) {
      say(`${topic}: ${noPosition} on ${events.length} partitions; --verbose says where each starts`);
      return;
    }
    for (const { partition, nextOffset } of events) {
      say(`${topic} partition "${partition}": ${noPosition}; starts at ${nextOffset}`);
    }
  };
  return (event) => {
    if (together.length === 0) queueMicrotask(tell);
    together.push(event);
  };
}
