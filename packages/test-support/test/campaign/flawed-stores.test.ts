import { describe, expect, it } from "vitest";
import type { Flaw } from "../../src/campaign/flawed-store.ts";
import { type CampaignStoreName, type LifePlan, planRounds, type RoundPlan } from "../../src/campaign/round-plan.ts";
import { runCampaign } from "../../src/campaign/run-campaign.ts";
import type { RoundResult } from "../../src/campaign/run-round.ts";

const SEED = 1;
const MOST_ROUNDS = 20;
const PLANS_TO_CHOOSE_FROM = 200;
const PATIENCE_MS = 60_000;
/** A zombie that is never fenced never hears of it: its round takes as long as that. */
const PATIENCE_WITHOUT_FENCE_MS = 10_000;
const WITHOUT_FENCE: readonly Flaw[] = ["unguarded-commit", "fence-ignored"];

/** A fault, on what, and what has to be said of it after a few rounds. */
const FINDINGS: readonly (readonly [Flaw, CampaignStoreName, RegExp])[] = [
  ["unguarded-commit", "memory", /although session .* had claimed it/],
  ["unguarded-commit", "sqlite", /although session .* had claimed it/],
  // Whose turn comes first is chance: the zombie's write lands, or the newer session's is ahead of it already.
  ["fence-ignored", "memory", /although session .* had claimed it|was told "behind"/],
  ["fence-ignored", "sqlite", /although session .* had claimed it|was told "behind"/],
  ["commit-before-delivery", "memory", /which nobody had sent/],
  ["commit-before-delivery", "sqlite", /which nobody had sent/],
  ["lost-commit", "memory", /: it went back|although session .* had claimed it/],
  ["lost-commit", "sqlite", /: it went back|although session .* had claimed it/],
  ["two-transactions", "sqlite", /records written in its transactions/],
];

describe("a campaign finds a fault within a few rounds", () => {
  it.each(FINDINGS)("%s, on %s", async (flaw, store, says) => {
    const patience = WITHOUT_FENCE.includes(flaw) ? PATIENCE_WITHOUT_FENCE_MS : PATIENCE_MS;
    // What shows first is chance; the round in which this does ends the campaign.
    const onRound = ({ violations }: RoundResult): boolean => !violations.some((what) => says.test(what));
    const figures = await runCampaign({ store, plans: plansFor(flaw, store), flaw, patience, onRound });
    if ("missing" in figures) throw new Error(figures.missing);
    expect(figures.violations.map(({ what }) => what).join("\n")).toMatch(says);
  });
});

/** Rounds in which the fault can show. */
function plansFor(flaw: Flaw, store: CampaignStoreName): RoundPlan[] {
  const plans = [...planRounds(store, { seed: SEED, count: PLANS_TO_CHOOSE_FROM })];
  return plans.filter(({ lives }) => canShow(flaw, lives)).slice(0, MOST_ROUNDS);
}

function canShow(flaw: Flaw, lives: readonly LifePlan[]): boolean {
  const isTransactional = lives.some(({ strategy }) => strategy === "transaction");
  const hasZombie = lives.some(({ end }) => end.kind === "freeze" || end.kind === "supersede");
  switch (flaw) {
    case "unguarded-commit":
    case "fence-ignored":
      return hasZombie && !isTransactional;
    case "two-transactions":
      return isTransactional;
    case "commit-before-delivery":
    case "lost-commit":
      return !isTransactional;
  }
}
