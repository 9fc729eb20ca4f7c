import { requireServer, serversAreRequired, sharedServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import type { CampaignFigures } from "../../src/campaign/campaign-figures.ts";
import { type CampaignStoreName, planRounds, type RoundPlan } from "../../src/campaign/round-plan.ts";
import { runCampaign } from "../../src/campaign/run-campaign.ts";

const PLANS_TO_CHOOSE_FROM = 200;

/** What a short campaign has to contain. */
export interface ShortCampaign {
  /** One whose first rounds have all kinds of faults. */
  readonly seed: number;
  /** Rounds with auto, manual and out-of-order commits, and rounds with transactions. */
  readonly rounds: number;
  readonly transactional: number;
}

/** Declares the test of one store: the first rounds of a fixed seed, some of each kind. */
export function testShortCampaign(store: CampaignStoreName, wanted: ShortCampaign): void {
  it(`crash campaign on ${store}: nothing lost, nothing taken back, repeats only of what was not flushed`, async ({
    skip,
  }) => {
    const figures = await runCampaign({ store, plans: choose(store, wanted) });
    if (!("missing" in figures)) return expectWell(figures, wanted);
    if (serversAreRequired()) requireServer(figures);
    // Whoever lends the shared ones says at the end of the run which of them were missing.
    await sharedServer(figures.name);
    return skip(figures.missing);
  });
}

function expectWell(figures: CampaignFigures, wanted: ShortCampaign): void {
  expect(figures.violations, replay(figures)).toEqual([]);
  expect(figures.rounds).toBe(wanted.rounds + wanted.transactional);
  // The harm was done where it was meant to be.
  expect(figures.kills).toBeGreaterThan(figures.rounds / 2);
  expect(figures.commitsCutShort).toBeGreaterThan(0);
  expect(figures.fenced).toBeGreaterThan(0);
  expect(figures.mostRepeats).toBeGreaterThan(0);
  if (figures.store !== "memory") expect(figures.outages).toBeGreaterThan(0);
  if (figures.store !== "memory" && figures.store !== "sqlite") expect(figures.restarts).toBeGreaterThan(0);
  if (wanted.transactional > 0) expect(figures.transactionsCutShort).toBeGreaterThan(wanted.transactional / 4);
}

function choose(store: CampaignStoreName, { seed, rounds, transactional }: ShortCampaign): RoundPlan[] {
  const plans = [...planRounds(store, { seed, count: PLANS_TO_CHOOSE_FROM })];
  const usesTransactions = ({ lives }: RoundPlan): boolean => lives.some(({ strategy }) => strategy === "transaction");
  return [
    ...plans.filter((plan) => !usesTransactions(plan)).slice(0, rounds),
    ...plans.filter(usesTransactions).slice(0, transactional),
  ];
}

function replay({ store, violations }: CampaignFigures): string {
  const [first] = violations;
  if (first === undefined) return "";
  const { seed, round } = first.plan;
  return `journal: ${first.journalFile}; again: npx -y pnpm@12.21.0 campaign ${store} --seed ${seed} --from ${round} --rounds 1`;
}
