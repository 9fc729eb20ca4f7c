import { assert } from "../../assert.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { type AnyStore, found, keyOf, newToken } from "../outcomes.ts";
import type { PeerTask } from "../peer-process.ts";

const STEPS = 200;

/** What guards the data must not be in the process. */
export const twoProcessCases: readonly ConformanceCase[] = [
  {
    id: "race/two-processes",
    clause: "3.1a",
    title: "two processes that commit one key under one token, and two side by side, lose nothing of each other's",
    run: async (context) => {
      const peer = await context.startPeer();
      // Without the harness's module no other process can open the store, and none sees a store in memory.
      if (peer === undefined) return;
      const { store } = context;
      const token = newToken();
      const [shared, mine, theirs] = [0, 1, 2].map((partition) => keyOf({ partition }));
      assert.ok(shared && mine && theirs);
      await store.claim([shared, mine, theirs].map((key) => ({ key, token, owner: "o" })));
      const steps = Array.from({ length: STEPS }, (_, step) => BigInt(step));
      // Each has the higher one in turn: a read first and a write later would put the lower one over it.
      const turns = (own: bigint) => steps.map((step) => 2n * step + 1n + ((step + own) % 2n));
      const tasks = (own: bigint, key: typeof shared): PeerTask[] => [
        { key: shared, token, positions: turns(own) },
        { key, token, positions: steps },
      ];
      const [inPeer] = await Promise.all([
        peer.commit(tasks(0n, theirs)),
        ...tasks(1n, mine).map((task) => commitAll(store, task)),
      ]);
      const last = BigInt(2 * STEPS);
      const after = await found(store, shared);
      assert.equal(after.nextOffset, last, "the highest position of two processes was lost");
      for (const key of [mine, theirs]) {
        const { nextOffset } = await found(store, key);
        assert.equal(nextOffset, BigInt(STEPS - 1), "a position was lost that another process did not even commit");
      }
      const odd = inPeer.flat().find((status) => status !== "committed" && status !== "behind");
      assert.equal(odd, undefined, `a commit of the other process was answered with ${odd}`);
      await peer.close();
    },
  },
];

async function commitAll(store: AnyStore, { key, token, positions }: PeerTask): Promise<void> {
  for (const nextOffset of positions) {
    const [outcome] = await store.commit([{ key, token, nextOffset }]);
    const isAnswer = outcome?.status === "committed" || outcome?.status === "behind";
    assert.ok(isAnswer, `a commit was answered with ${outcome?.status}`);
  }
}
