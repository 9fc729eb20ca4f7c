/**
 * The crash campaign: consumers that are killed, frozen and superseded at random moments, on stores whose servers are killed,
 * paused and cut off. See docs/campaign.md.
 *
 *     campaign [STORE...] [--rounds N] [--seed S] [--from K] [--json FILE] [--flaw NAME]
 *
 * SIGTERM ends it after the round under way, with the figures so far. Exits with 0, with 1 upon a violation or where a store's server is missing, and with 2 if it is asked for nonsense.
 */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type CampaignFigures, figuresTable } from "./campaign-figures.ts";
import { type Flaw, flaws } from "./flawed-store.ts";
import { type CampaignStoreName, campaignStores, planRounds } from "./round-plan.ts";
import { runCampaign } from "./run-campaign.ts";

const ROUNDS_PER_LINE = 50;
// With a fault some things never come about.
const FLAWED_PATIENCE_MS = 5_000;

// At once: after many rounds Node's own end of a process may wait forever, with a core at work, for a request of a child that
// was killed (seen with Node 24.21: Environment::CleanupHandles). All is written by then.
process.exit(await main());

async function main(): Promise<number> {
  let asked: ReturnType<typeof readArguments>;
  try {
    asked = readArguments();
  } catch (error) {
    process.stderr.write(`campaign: ${error instanceof Error ? error.message : String(error)}\n`);
    return 2;
  }
  const { stores, rounds, seed, from, json, flaw } = asked;
  process.stderr.write(`seed ${seed}: ${rounds} rounds on each of ${stores.join(", ")}\n`);
  const all: CampaignFigures[] = [];
  let isStopping = false;
  process.once("SIGTERM", () => (isStopping = true));
  let missing = false;
  for (const store of stores) {
    if (isStopping) break;
    const figures = await runCampaign({
      store,
      plans: planRounds(store, { seed, from, count: rounds }),
      ...(flaw !== undefined && { flaw, patience: FLAWED_PATIENCE_MS }),
      onRound({ violations }, { rounds: done, seconds }) {
        const line = `${store}: ${done} of ${rounds} rounds, ${seconds} s`;
        if (process.stderr.isTTY) process.stderr.write(`\r${line}${done === rounds ? "\n" : ""}`);
        else if (done % ROUNDS_PER_LINE === 0 || done === rounds) process.stderr.write(`${line}\n`);
        return violations.length === 0 && !isStopping;
      },
    });
    if ("missing" in figures) {
      missing = true;
      process.stderr.write(`${store}: ${figures.missing}\n`);
      continue;
    }
    all.push(figures);
    report(figures, flaw);
  }
  process.stdout.write(`${figuresTable(all)}\n`);
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ seed, from, stores: all }, undefined, 2)}\n`);
  return missing || all.some(({ violations }) => violations.length > 0) ? 1 : 0;
}

function report({ store, violations }: CampaignFigures, flaw: Flaw | undefined): void {
  const [first] = violations;
  if (first === undefined) return;
  const { seed, round } = first.plan;
  process.stderr.write(
    [
      `\n${store}: round ${round} broke the contract:`,
      ...violations.map(({ what }) => `  ${what}`),
      `Its plan: ${JSON.stringify(first.plan, undefined, 2)}`,
      `What its processes did, line by line: ${first.journalFile}`,
      `Again: npx -y pnpm@12.21.0 campaign ${store} --seed ${seed} --from ${round} --rounds 1` +
        `${flaw === undefined ? "" : ` --flaw ${flaw}`}\n`,
    ].join("\n"),
  );
}

function readArguments(): {
  readonly stores: readonly CampaignStoreName[];
  readonly rounds: number;
  readonly seed: number;
  readonly from: number;
  readonly json: string | undefined;
  readonly flaw: Flaw | undefined;
} {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "100" },
      seed: { type: "string" },
      from: { type: "string", default: "0" },
      json: { type: "string" },
      flaw: { type: "string" },
    },
  });
  const stores = positionals.map((name) => {
    const store = campaignStores.find((known) => known === name);
    if (store === undefined) throw new Error(`there is no store "${name}"; there are ${campaignStores.join(", ")}`);
    return store;
  });
  return {
    stores: stores.length === 0 ? campaignStores : stores,
    rounds: readNumber("rounds", values.rounds, 1),
    seed: values.seed === undefined ? randomInt(2 ** 31) : readNumber("seed", values.seed, 0),
    from: readNumber("from", values.from, 0),
    json: values.json,
    flaw: values.flaw === undefined ? undefined : readFlaw(values.flaw),
  };
}

function readFlaw(name: string): Flaw {
  if (Object.hasOwn(flaws, name)) return name as Flaw;
  throw new Error(`there is no flaw "${name}"; there are ${Object.keys(flaws).join(", ")}`);
}

function readNumber(name: string, value: string, least: number): number {
  const number = Number(value);
  if (/^\d+$/u.test(value) && Number.isSafeInteger(number) && number >= least) return number;
  throw new Error(`--${name} must be a whole number of at least ${least}, not "${value}"`);
}
