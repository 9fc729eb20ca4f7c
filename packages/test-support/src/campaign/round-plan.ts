import { createHash } from "node:crypto";

/** The stores that a campaign runs on. */
export const campaignStores = ["memory", "sqlite", "postgres", "redis", "mongo", "s3"] as const;

/** One of them. */
export type CampaignStoreName = (typeof campaignStores)[number];

/** How a consumer commits in one life; `transaction` writes each record and its position in one transaction of the store. */
export type LifeStrategy = "auto" | "manual" | "acknowledge" | "transaction";

/** How a life ends. Times are in milliseconds from the moment at which its claim was answered. */
export type LifeEnd =
  /** SIGKILL. */
  | { readonly kind: "kill"; readonly afterMs: number }
  /** SIGKILL, counted from the start: it may fall into opening and claiming. */
  | { readonly kind: "kill-early"; readonly afterMs: number }
  /** It kills itself at its nth commit: so many turns of its event loop after sending it, or with the answer in hand. */
  | { readonly kind: "kill-in-commit"; readonly nth: number; readonly turns: number | "answered" }
  /** SIGSTOP, and SIGCONT when its successor has read for so long: it must write nothing any more. */
  | { readonly kind: "freeze"; readonly afterMs: number; readonly thawAfterMs: number }
  /** Its successor starts beside it. */
  | { readonly kind: "supersede"; readonly afterMs: number }
  /** It closes, in peace. */
  | { readonly kind: "leave"; readonly afterMs: number };

/** One consumer process. */
export interface LifePlan {
  readonly strategy: LifeStrategy;
  /** Milliseconds. */
  readonly flushInterval: number;
  /** Milliseconds, much longer than a round; `undefined`: what is stored. */
  readonly ttl: number | undefined;
  /** Milliseconds. */
  readonly maxUnflushedAge: number;
  /** How many records are worked on at once; acknowledged in any order. 1 unless the strategy is `acknowledge`. */
  readonly window: number;
  /** After so many records it pauses for a millisecond. */
  readonly recordsPerPause: number;
  readonly end: LifeEnd;
}

/** What is done to the server, or on the way to it; `lock` is what SQLite has instead: another process holds the file. */
export type FaultKind = "restart" | "pause" | "silence" | "cut" | "drop" | "lost-answer" | "lock";

/** A fault, and when. */
export interface FaultPlan {
  readonly kind: FaultKind;
  readonly duringLife: number;
  /** Milliseconds after that life's start. */
  readonly atMs: number;
  readonly lastsMs: number;
}

/** The start of the log moves. */
export interface RetentionPlan {
  readonly duringLife: number;
  /** Milliseconds after that life's start. */
  readonly atMs: number;
  readonly partition: number;
  /** The first offset that is left. */
  readonly before: number;
}

/** All that happens in one round. Depends on the store's name, the seed and the round's number, and on nothing else. */
export interface RoundPlan {
  readonly store: CampaignStoreName;
  readonly seed: number;
  readonly round: number;
  readonly partitions: number;
  /** Of each partition. */
  readonly records: number;
  /** The last one of them is followed by a consumer that reads to the end, undisturbed. */
  readonly lives: readonly LifePlan[];
  readonly fault: FaultPlan | undefined;
  readonly retention: RetentionPlan | undefined;
}

/** Milliseconds that a call of a store may take in a campaign: short, so that pauses can be longer. */
export const STORE_TIMEOUT_MS = 1_000;

const FAULTS: Readonly<Record<CampaignStoreName, readonly FaultKind[]>> = {
  memory: [],
  sqlite: ["lock"],
  postgres: ["restart", "pause", "silence", "cut", "drop", "lost-answer"],
  redis: ["restart", "pause", "silence", "cut", "drop", "lost-answer"],
  mongo: ["restart", "pause", "silence", "cut", "drop", "lost-answer"],
  s3: ["restart", "pause", "silence", "cut", "drop", "lost-answer"],
};
const TRANSACTIONAL: readonly CampaignStoreName[] = ["sqlite", "postgres", "mongo"];

/** Makes the plans of rounds, one after the other. */
export function* planRounds(
  store: CampaignStoreName,
  rounds: { readonly seed: number; readonly from?: number; readonly count: number },
): Generator<RoundPlan, void> {
  const { seed, from = 0, count } = rounds;
  for (let round = from; round < from + count; round += 1) yield planRound(store, seed, round);
}

/** Makes the plan of a round. */
function planRound(store: CampaignStoreName, seed: number, round: number): RoundPlan {
  const random = createRandom(`${store} ${seed} ${round}`);
  const transactional = TRANSACTIONAL.includes(store) && random.once(4);
  // More than can be read before the end of the lives, as a rule; a transaction for each takes longer.
  const partitions = 1 + random.below(transactional ? 2 : 4);
  const records = transactional ? 50 + random.below(50) : 300 + random.below(300);
  const count = random.pick([1, 1, 2, 2, 3]);
  const lives = Array.from({ length: count }, (_, index) =>
    planLife(random, { transactional, isLast: index === count - 1 }),
  );
  const hasFault = FAULTS[store].length > 0 && random.once(4);
  const fault = hasFault
    ? {
        kind: random.pick(FAULTS[store]),
        duringLife: random.below(count),
        atMs: random.below(60),
        // Shorter, and longer, than a call may take.
        lastsMs: random.once(3) ? STORE_TIMEOUT_MS + 100 + random.below(300) : 10 + random.below(150),
      }
    : undefined;
  // What is exactly once is compared record by record: nothing goes away there.
  const retention =
    !transactional && random.once(5)
      ? {
          duringLife: random.below(count),
          atMs: random.below(80),
          partition: random.below(partitions),
          before: 1 + random.below(records),
        }
      : undefined;
  return { store, seed, round, partitions, records, lives, fault, retention };
}

function planLife(random: Random, about: { transactional: boolean; isLast: boolean }): LifePlan {
  const strategy = about.transactional ? "transaction" : random.pick(["auto", "manual", "acknowledge"] as const);
  return {
    strategy,
    flushInterval: random.pick([0, 5, 50]),
    ttl: random.once(3) ? 600_000 : undefined,
    maxUnflushedAge: random.once(4) ? 100 : 60_000,
    window: strategy === "acknowledge" ? 2 + random.below(10) : 1,
    recordsPerPause: 3 + random.below(10),
    end: planEnd(random, about.isLast),
  };
}

function planEnd(random: Random, isLast: boolean): LifeEnd {
  const afterMs = random.below(120);
  const draw = random.below(isLast ? 6 : 10);
  if (draw < 2) return { kind: "kill", afterMs };
  if (draw < 4) {
    return {
      kind: "kill-in-commit",
      nth: 1 + random.below(12),
      turns: random.once(3) ? "answered" : random.below(6),
    };
  }
  if (draw === 4) return { kind: "kill-early", afterMs: random.below(40) };
  if (draw === 5) return { kind: "leave", afterMs };
  if (draw < 9) return { kind: "freeze", afterMs, thawAfterMs: random.below(60) };
  return { kind: "supersede", afterMs };
}

/** A source of choices that come again with the same label. */
interface Random {
  /** An integer, 0 <= n < bound. */
  below(bound: number): number;
  once(times: number): boolean;
  pick<Item>(items: readonly [Item, ...Item[]] | readonly Item[]): Item;
}

function createRandom(label: string): Random {
  let drawn = 0;
  const below = (bound: number): number => {
    drawn += 1;
    const digest = createHash("sha256").update(`${label} ${drawn}`).digest();
    return Math.floor((digest.readUInt32BE() / 2 ** 32) * bound);
  };
  return {
    below,
    once: (times) => below(times) === 0,
    pick(items) {
      const item = items[below(items.length)];
      if (item === undefined) throw new RangeError("there is nothing to pick from");
      return item;
    },
  };
}
