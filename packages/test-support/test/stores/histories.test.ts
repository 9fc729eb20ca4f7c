import { randomInt } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { OffsetKey, OffsetStore } from "@tidemark/core";
import {
  createHistoryRecorder,
  findHistoryFault,
  type RecordedCall,
  runRandomClients,
} from "@tidemark/core/conformance";
import { TEST_EFFORT } from "@tidemark/test-support";
import { openTcpProxy, type TcpProxy, type WireRequest } from "@tidemark/test-support/faults";
import {
  describeEachStore,
  findWrites,
  type OpenBackendOptions,
  type StoreBackend,
  testedRemoteStores,
  testedStores,
  untilAnswered,
} from "@tidemark/test-support/stores";
import { expect, it } from "vitest";

const CLIENTS = 8;
const CALLS_EACH = 6;
const HARMS_A_ROUND = 3;
/** A search for an order that is given up takes half a minute on a busy machine. */
const LIMIT = { timeout: 300_000 * TEST_EFFORT };

await describeEachStore(testedStores, ({ name }, openBackend) => {
  const rounds = TEST_EFFORT * (name === "s3" ? 8 : 25);
  it(`what ${CLIENTS} clients are answered comes to the same as some order of their calls`, LIMIT, async () => {
    await withBackend(openBackend, async (backend) => {
      const seed = randomInt(2 ** 20);
      const { calls } = await runRounds({ backend, seed, rounds, options: {} });
      // Nothing disturbs these, but a call may give way to others too often.
      expect(lost(calls)).toBeLessThan(calls.length / 20);
    });
  });
});

await describeEachStore(testedRemoteStores, ({ name, protocol }, openBackend) => {
  const rounds = TEST_EFFORT * (name === "s3" ? 5 : 8);
  it(`so it does on a network that drops, delays and swallows what they say`, LIMIT, async () => {
    await withBackend(openBackend, async (backend) => {
      if (backend.address === undefined) throw new TypeError("a store on a server has an address");
      const seed = randomInt(2 ** 20);
      const proxy = await openTcpProxy({ ...backend.address, protocol });
      const harm = harmful(proxy, await findWrites(backend, proxy), seed);
      try {
        await runRounds({
          backend,
          seed,
          rounds,
          options: { through: proxy, timeout: name === "s3" ? 2_000 : 700 },
          harm: harm.whileRunning,
        });
        // Faults that did not come about would prove nothing. What came of them each store sees to by itself.
        expect(harm.done()).toBeGreaterThan(rounds);
      } finally {
        proxy.restore();
        await proxy.close();
      }
    });
  });
});

interface Rounds {
  readonly backend: StoreBackend;
  readonly seed: number;
  readonly rounds: number;
  readonly options: OpenBackendOptions;
  readonly harm?: (until: Promise<unknown>) => Promise<void>;
}

/**
 * Rounds on new keys each, by the same clients. Fails on the first key whose answers no order explains. Another round takes
 * the place of one that cannot be decided.
 */
async function runRounds({
  backend,
  seed,
  rounds,
  options,
  harm,
}: Rounds): Promise<{ readonly calls: RecordedCall[] }> {
  let recorder = createHistoryRecorder();
  const stores: OffsetStore<unknown>[] = [];
  const calls: RecordedCall[] = [];
  let undecided = 0;
  try {
    while (stores.length < CLIENTS) {
      const name = nameOf(stores.length);
      stores.push(
        await untilAnswered(() =>
          backend.open({
            ...options,
            onEvent: (event) => {
              if (event.type === "retry") recorder.repeated(name, event.operation);
            },
          }),
        ),
      );
    }
    for (let round = 0; round < rounds + undecided; round += 1) {
      recorder = createHistoryRecorder();
      const clients = stores.map((store, index) => recorder.record(nameOf(index), store));
      const running = runRandomClients(clients, { seed: seed + round, keys: keysOf(round), callsEach: CALLS_EACH });
      await Promise.all([running, harm?.(running)]);
      const fault = faultOf(recorder.calls);
      if (fault === "undecided") {
        undecided += 1;
        // A check that mostly gives up would prove nothing.
        expect(undecided, `seed ${seed}: rounds that cannot be decided`).toBeLessThanOrEqual(rounds);
        continue;
      }
      expect(fault, `seed ${seed}, round ${round}: ${fault?.message}`).toBeUndefined();
      calls.push(...recorder.calls);
    }
  } finally {
    await Promise.all(stores.map((store) => store.close()));
  }
  return { calls };
}

/** What no order explains. With many calls that nobody answered at once, the search for an order may not come to an end. */
function faultOf(calls: readonly RecordedCall[]): ReturnType<typeof findHistoryFault> | "undecided" {
  try {
    return findHistoryFault(calls);
  } catch (error) {
    if (error instanceof RangeError) return "undecided";
    throw error;
  }
}

interface Harm {
  readonly whileRunning: (until: Promise<unknown>) => Promise<void>;
  /** How many harms came about. */
  readonly done: () => number;
}

/**
 * What a network does to those who use it: in each round a few harms, one after the other, that a seed chooses. Not more:
 * calls that all fail say nothing of an order.
 */
function harmful(proxy: TcpProxy, isWrite: (request: WireRequest) => boolean, seed: number): Harm {
  let done = 0;
  let state = seed | 1;
  const below = (bound: number): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % bound;
  };
  const silent = async (): Promise<void> => {
    proxy.silence();
    await pause(50 + below(100));
    proxy.restore();
  };
  const harms: (() => Promise<unknown> | void)[] = [
    () => proxy.dropConnections(),
    () => proxy.cutBeforeRequest({ match: isWrite }),
    () => proxy.cutAfterRequest({ match: isWrite }),
    () => proxy.cutAfterRequest({ match: isWrite }),
    () => proxy.delay(1 + below(20)),
    silent,
  ];
  const whileRunning = async (until: Promise<unknown>): Promise<void> => {
    const ended = until.then(
      () => undefined,
      () => undefined,
    );
    for (let count = 0; count < HARMS_A_ROUND; count += 1) {
      await Promise.race([ended, pause(below(30))]);
      // A cut that is planned and not met yet is met in the next round.
      const harmed = Promise.resolve(harms[below(harms.length)]?.()).then(() => (done += 1));
      await Promise.race([ended, harmed]);
    }
    await ended;
    proxy.restore();
  };
  return { whileRunning, done: () => done };
}

/** How many calls were not answered, or not for every key. */
function lost(calls: readonly RecordedCall[]): number {
  return calls.filter(
    ({ answer }) =>
      answer === undefined || (answer as readonly { status?: string }[]).some(({ status }) => status === "failed"),
  ).length;
}

function keysOf(round: number): OffsetKey[] {
  return [0, 1].map((partition) => ({ consumer: "c1", topic: `round ${round}`, partition }));
}

function nameOf(index: number): string {
  return `client ${index + 1}`;
}

async function withBackend(
  openBackend: () => Promise<StoreBackend>,
  use: (backend: StoreBackend) => Promise<void>,
): Promise<void> {
  const backend = await openBackend();
  try {
    await use(backend);
  } finally {
    await backend.close();
  }
}
