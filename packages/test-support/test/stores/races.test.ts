import { randomBytes } from "node:crypto";
import type { CommitOutcome, OffsetKey, OffsetRecord, OffsetStore } from "@tidemark/core";
import { describeEachStore, type StoreBackend, testedStores } from "@tidemark/test-support/stores";
import { expect, it } from "vitest";

const CLIENTS = 8;
const COMMITS_EACH = 50;
const ALL = CLIENTS * COMMITS_EACH;
const ROUNDS = 10;
/** On S3 every write of the one object refuses all others that were on their way: a minute, two on a busy machine. */
const key: OffsetKey = { consumer: "c1", topic: "orders", partition: 0 };

await describeEachStore(testedStores, (_, openBackend) => {
  it.concurrent(`${CLIENTS} clients of one claim: of ${ALL} commits the highest stays, each other one is committed or behind it`, async () => {
    await withClients(openBackend, async (stores) => {
      const token = newToken();
      await claim(stores[0], token);
      const answers = await Promise.all(
        stores.map(async (store, client) => {
          const seen: { readonly sent: bigint; readonly outcome: CommitOutcome }[] = [];
          for (let count = 0; count < COMMITS_EACH; count += 1) {
            // Distinct for each client and count, and each client is the last one of some rounds.
            const sent = BigInt(count * CLIENTS + ((client + count) % CLIENTS) + 1);
            seen.push({ sent, outcome: await commit(store, token, sent) });
          }
          return seen;
        }),
      );
      const all = answers.flat();
      expect(countsOf(all.map(({ outcome }) => outcome))).toEqual({ ok: ALL, other: {} });
      for (const { sent, outcome } of all) {
        if (outcome.status === "behind") expect(outcome.record.nextOffset).toBeGreaterThan(sent);
      }
      // Whoever sent the highest position was never behind, and nothing lower was written over it.
      expect(all.find(({ sent }) => sent === BigInt(ALL))?.outcome).toEqual({ status: "committed" });
      expect((await stored(stores[0])).nextOffset).toBe(BigInt(ALL));
    });
  });

  it.concurrent(`in each of ${ROUNDS} rounds ${CLIENTS} clients claim at once and commit at once: exactly one may`, async () => {
    await withClients(openBackend, async (stores) => {
      const outcomes: CommitOutcome[] = [];
      for (let round = 0; round < ROUNDS; round += 1) {
        const claims = stores.map((store, client) => ({ store, token: newToken(), owner: `client ${client}` }));
        await Promise.all(claims.map(({ store, token, owner }) => claim(store, token, owner)));
        const answers = await Promise.all(claims.map(({ store, token }) => commit(store, token, BigInt(round + 1))));
        const winner = answers.findIndex(({ status }) => status === "committed");
        const { owner } = await stored(stores[0]);
        expect(owner).toBe(claims[winner]?.owner);
        answers.forEach((outcome, client) => {
          if (client !== winner) expect(outcome).toEqual({ status: "fenced", reason: "superseded", owner });
        });
        outcomes.push(...answers);
      }
      expect(outcomes.filter(({ status }) => status === "committed")).toHaveLength(ROUNDS);
      expect(outcomes.filter(({ status }) => status === "fenced")).toHaveLength(ROUNDS * (CLIENTS - 1));
      expect((await stored(stores[0])).nextOffset).toBe(BigInt(ROUNDS));
    });
  });

  it.concurrent(`${CLIENTS} clients take the claim from each other until each has committed ${COMMITS_EACH} steps: none is lost, none lands late`, async () => {
    await withClients(openBackend, async (stores) => {
      /** What was acknowledged: the claim that it was made under, and the step. */
      const acknowledged: { readonly token: string; readonly position: bigint }[] = [];
      // Whoever is fenced comes back when somebody has made a step: if all came back at once, none would make any.
      const fenced: (() => void)[] = [];
      let active = CLIENTS;
      await Promise.all(
        stores.map(async (store) => {
          let token = newToken();
          let position = (await claim(store, token))?.nextOffset ?? 0n;
          for (let done = 0; done < COMMITS_EACH;) {
            const outcome = await commit(store, token, position + 1n);
            if (outcome.status === "committed") {
              position += 1n;
              done += 1;
              acknowledged.push({ token, position });
              fenced.shift()?.();
              continue;
            }
            // Nobody else may write under this claim: it cannot be behind.
            expect(outcome).toMatchObject({ status: "fenced", reason: "superseded" });
            // Fenced is for ever, whatever is sent.
            if (done % 10 === 0) expect(await commit(store, token, position + 1n)).toMatchObject({ status: "fenced" });
            if (active > 1) {
              active -= 1;
              await new Promise<void>((resolve) => fenced.push(resolve));
              active += 1;
            }
            token = newToken();
            position = (await claim(store, token))?.nextOffset ?? 0n;
          }
          active -= 1;
          // Who ends keeps its claim: the others have to take it.
          for (const comeBack of fenced.splice(0)) comeBack();
        }),
      );
      acknowledged.sort((left, right) => Number(left.position - right.position));
      // Every step was acknowledged once: a claim found what was committed before it, and no fenced commit came through.
      expect(acknowledged.map(({ position }) => position)).toEqual(
        Array.from({ length: ALL }, (_item, index) => BigInt(index + 1)),
      );
      // Claims follow each other: none commits again after the next one has.
      const runs = acknowledged.filter(({ token }, index) => token !== acknowledged[index - 1]?.token);
      expect(new Set(runs.map(({ token }) => token)).size).toBe(runs.length);
      expect(runs.length).toBeGreaterThan(1);
      expect((await stored(stores[0])).nextOffset).toBe(BigInt(ALL));
    });
  });
});

async function withClients(
  openBackend: () => Promise<StoreBackend>,
  use: (stores: readonly OffsetStore<unknown>[]) => Promise<void>,
): Promise<void> {
  const backend = await openBackend();
  const stores = await Promise.all(Array.from({ length: CLIENTS }, () => backend.open({ timeout: 60_000 })));
  try {
    await use(stores);
  } finally {
    await Promise.all(stores.map((store) => store.close()));
    await backend.close();
  }
}

/** How many were answered as expected, and what the others were. */
function countsOf(outcomes: readonly CommitOutcome[]): { readonly ok: number; readonly other: Record<string, number> } {
  const other: Record<string, number> = {};
  let ok = 0;
  for (const { status } of outcomes) {
    if (status === "committed" || status === "behind") ok += 1;
    else other[status] = (other[status] ?? 0) + 1;
  }
  return { ok, other };
}

async function claim(
  store: OffsetStore<unknown> | undefined,
  token: string,
  owner = "somebody",
): Promise<OffsetRecord | undefined> {
  const [outcome] = (await store?.claim([{ key, token, owner }])) ?? [];
  if (outcome?.status !== "claimed") throw new Error("the claim was not answered", { cause: outcome });
  return outcome.record;
}

async function commit(store: OffsetStore<unknown>, token: string, nextOffset: bigint): Promise<CommitOutcome> {
  const [outcome] = await store.commit([{ key, token, nextOffset }]);
  if (outcome === undefined || outcome.status === "failed") {
    throw new Error("the commit was not answered", { cause: outcome?.error });
  }
  return outcome;
}

async function stored(store: OffsetStore<unknown> | undefined): Promise<OffsetRecord> {
  const [outcome] = (await store?.fetch([key])) ?? [];
  if (outcome?.status !== "found") throw new Error("there is no record", { cause: outcome });
  return outcome.record;
}

function newToken(): string {
  return randomBytes(16).toString("hex");
}
