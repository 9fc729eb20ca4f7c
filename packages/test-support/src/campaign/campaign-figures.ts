import type { CampaignStoreName, RoundPlan } from "./round-plan.ts";
import type { RoundResult } from "./run-round.ts";

/** What a campaign on one store came to. */
export class CampaignFigures {
  readonly store: CampaignStoreName;
  readonly version: string;
  rounds = 0;
  /** Rounds with each record and its position in one transaction. */
  transactional = 0;
  kills = 0;
  /** Kills with a commit under way. */
  commitsCutShort = 0;
  /** Kills with a transaction open. */
  transactionsCutShort = 0;
  frozen = 0;
  fenced = 0;
  outages = 0;
  restarts = 0;
  deliveries = 0;
  /** Lost to retention, and told by events. */
  lost = 0;
  takeovers = 0;
  repeats = 0;
  mostRepeats = 0;
  bounds = 0;
  largestBound = 0;
  readonly violations: { readonly plan: RoundPlan; readonly journalFile: string | undefined; readonly what: string }[] =
    [];
  readonly #startedAt = performance.now();
  seconds = 0;

  constructor(store: CampaignStoreName, version: string) {
    this.store = store;
    this.version = version;
  }

  add({ plan, takeovers, violations, journalFile, ...found }: RoundResult): void {
    this.rounds += 1;
    const ends = plan.lives.map(({ end }) => end.kind);
    if (plan.lives.some(({ strategy }) => strategy === "transaction")) this.transactional += 1;
    this.kills += ends.filter((end) => end.startsWith("kill")).length;
    this.frozen += ends.filter((end) => end === "freeze").length;
    if (plan.fault !== undefined) this.outages += 1;
    if (plan.fault?.kind === "restart") this.restarts += 1;
    this.commitsCutShort += found.commitsCutShort;
    this.transactionsCutShort += found.transactionsCutShort;
    this.fenced += found.fenced;
    this.deliveries += found.deliveries;
    this.lost += found.lost;
    for (const { repeats, bound } of takeovers) {
      this.takeovers += 1;
      this.repeats += repeats;
      this.bounds += bound;
      this.mostRepeats = Math.max(this.mostRepeats, repeats);
      this.largestBound = Math.max(this.largestBound, bound);
    }
    for (const what of violations) this.violations.push({ plan, journalFile, what });
    this.seconds = Math.round((performance.now() - this.#startedAt) / 1_000);
  }
}

/** Says the figures as a Markdown table, a column for each store. */
export function figuresTable(all: readonly CampaignFigures[]): string {
  const rows: readonly (readonly [string, (figures: CampaignFigures) => string | number])[] = [
    ["on", ({ version }) => version],
    ["rounds", ({ rounds }) => rounds],
    ["of them with transactions", ({ transactional }) => transactional],
    ["processes killed", ({ kills }) => kills],
    ["in the middle of a commit", ({ commitsCutShort }) => commitsCutShort],
    ["in the middle of a transaction", ({ transactionsCutShort }) => transactionsCutShort],
    ["processes frozen", ({ frozen }) => frozen],
    ["claims fenced", ({ fenced }) => fenced],
    ["outages", ({ outages }) => outages],
    ["of them kill and restart of the server", ({ restarts }) => restarts],
    ["records delivered", ({ deliveries }) => deliveries],
    ["lost to retention, and told", ({ lost }) => lost],
    ["repeats, mean", ({ repeats, takeovers }) => mean(repeats, takeovers)],
    ["their bound, mean", ({ bounds, takeovers }) => mean(bounds, takeovers)],
    ["repeats, most", ({ mostRepeats }) => mostRepeats],
    ["their bound, largest", ({ largestBound }) => largestBound],
    ["violations", ({ violations }) => violations.length],
    ["seconds", ({ seconds }) => seconds],
  ];
  const lines = [
    ["", ...all.map(({ store }) => store)],
    ["---", ...all.map(() => "---:")],
    ...rows.map(([head, value]) => [head, ...all.map((figures) => value(figures).toLocaleString("en-US"))]),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function mean(sum: number, count: number): string {
  return count === 0 ? "-" : (sum / count).toFixed(1);
}
