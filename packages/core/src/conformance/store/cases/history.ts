import { assert } from "../../assert.ts";
import { findHistoryFault } from "../../history/find-history-fault.ts";
import { runRandomClients } from "../../history/random-clients.ts";
import { createHistoryRecorder } from "../../history/record-history.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { keyOf } from "../outcomes.ts";

const CLIENTS = 6;
const MIN_ROUNDS = 3;
const MAX_ROUNDS = 20;
/** Milliseconds after which no further round begins. */
const ENOUGH_MS = 3_000;
const CALLS_EACH = 6;

/** In any order of the calls of several clients. */
export const historyCases: readonly ConformanceCase[] = [
  {
    id: "history/linearizable",
    clause: "3.1a",
    title: `what ${CLIENTS} clients are answered that call every verb concurrently comes to the same as some order of the calls`,
    run: async (context) => {
      let recorder = createHistoryRecorder();
      const stores = await Promise.all(
        Array.from({ length: CLIENTS }, async (_, index) => {
          const { store } = await context.openAnother({
            onEvent: (event) => {
              if (event.type === "retry") recorder.repeated(nameOf(index), event.operation);
            },
          });
          return store;
        }),
      );
      const { seed } = context;
      const startedAt = performance.now();
      for (let round = 0; round < MAX_ROUNDS; round += 1) {
        if (round >= MIN_ROUNDS && performance.now() - startedAt > ENOUGH_MS) return;
        // New keys each time: the search for an order is over few calls.
        const keys = [0, 1].map((partition) => keyOf({ topic: `round ${round}`, partition }));
        recorder = createHistoryRecorder();
        const clients = stores.map((store, index) => recorder.record(nameOf(index), store));
        await runRandomClients(clients, { seed: seed + round, keys, callsEach: CALLS_EACH });
        const fault = findHistoryFault(recorder.calls);
        // Not by comparing: the difference to nothing at all would show the whole fault a second time.
        if (fault !== undefined) {
          assert.fail(
            `${fault.message}\ntestOffsetStore with { seed: ${seed + round} } has the same calls made, if not at the same times`,
          );
        }
      }
    },
  },
];

function nameOf(index: number): string {
  return `client ${index + 1}`;
}
