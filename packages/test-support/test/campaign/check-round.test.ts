import { describe, expect, it } from "vitest";
import { checkRound } from "../../src/campaign/check-round.ts";
import type { Happening, JournalEntry } from "../../src/campaign/journal.ts";
import type { LifePlan, RoundPlan } from "../../src/campaign/round-plan.ts";

const MS_BETWEEN_LINES = 1;

const life: LifePlan = {
  ...{ strategy: "auto", flushInterval: 5, ttl: undefined, maxUnflushedAge: 60_000, window: 1, recordsPerPause: 5 },
  end: { kind: "kill", afterMs: 0 },
};
const plan: RoundPlan = {
  ...{ store: "memory", seed: 0, round: 0, partitions: 1, records: 3, fault: undefined, retention: undefined },
  lives: [life],
};

type Line = readonly [who: string, happening: Happening];

const delivered = (who: string, offset: number): Line => [who, { what: "delivered", partition: 0, offset }];
const done = (who: string, offset: number): Line => [who, { what: "done", partition: 0, offset }];
const claim = (who: string, found: number | null): Line[] => [
  [who, { what: "claiming" }],
  [who, { what: "claimed", positions: [[0, found]] }],
];
const commit = (who: string, call: number, nextOffset: number, status = "committed"): Line[] => [
  [who, { what: "committing", call, positions: [[0, nextOffset]], inside: false }],
  [who, { what: "answered", call, statuses: [status] }],
];
const work = (who: string, ...offsets: number[]): Line[] =>
  offsets.flatMap((offset) => [delivered(who, offset), done(who, offset)]);
const renewal = (who: string, call: number): Line[] => [
  [who, { what: "committing", call, positions: [[0, null]], inside: false }],
  [who, { what: "answered", call, statuses: ["committed"] }],
];
const killed = (worker: number): Line => ["campaign", { what: "killed", worker }];
const observed = (position: number | null, sink?: number[][]): Line[] => [
  ["campaign", { what: "observing" }],
  ["campaign", { what: "observed", positions: [[0, position]], sink }],
];
const fenced = (who: string, reason = "superseded"): Line => [
  who,
  { what: "fenced", partition: 0, reason, owner: "another" },
];

/** One consumer reads one record and is killed with it not stored; another one reads all. */
const begin = [...claim("0.0", null), ...commit("0.0", 0, 0)];
const end = [...claim("1.0", 0), ...work("1.0", 0, 1, 2), ...commit("1.0", 0, 3), ...observed(3)];
const good = [...begin, ...work("0.0", 0), killed(0), ...end];

function check(lines: readonly Line[], changed: Partial<RoundPlan> = {}): ReturnType<typeof checkRound> {
  const journal = lines.map(([who, happening], index): JournalEntry => ({
    ...happening,
    who,
    at: index * MS_BETWEEN_LINES,
  }));
  return checkRound({ ...plan, ...changed }, journal);
}

describe("what a journal of a campaign's round shows", () => {
  it("nothing wrong where nothing is, with what came again and what could have", () => {
    expect(check(good)).toMatchObject({
      violations: [],
      takeovers: [{ repeats: 1, bound: 1 }],
      deliveries: 4,
      lost: 0,
    });
  });

  it("counts no more repeats as allowed than were not acknowledged", () => {
    const lines = [
      ...begin,
      ...work("0.0", 0, 1),
      ...commit("0.0", 1, 1),
      killed(0),
      ...claim("1.0", 1),
      ...work("1.0", 1, 2),
      ...commit("1.0", 0, 3),
      ...observed(3),
    ];
    expect(check(lines)).toMatchObject({ violations: [], takeovers: [{ repeats: 1, bound: 1 }] });
  });

  it("takes a loss that the log's start explains, and its event tells", () => {
    const reset: Line = ["1.0", { what: "reset", partition: 0, from: 0, to: 2, skipped: 2 }];
    const retained: Line = ["campaign", { what: "retained", partition: 0, before: 2 }];
    const after = [...claim("1.0", 0), reset, ...work("1.0", 2), ...commit("1.0", 0, 3), ...observed(3)];
    expect(check([...begin, retained, killed(0), ...after])).toMatchObject({ violations: [], lost: 2 });
    expect(check([...begin, killed(0), ...after]).violations.join()).toMatch(/where the log does not begin/);
  });

  it("does not ask for a position after records that are all gone", () => {
    const lines: Line[] = [
      ...begin,
      ["campaign", { what: "retained", partition: 0, before: 3 }],
      ...claim("1.0", 0),
      ["1.0", { what: "reset", partition: 0, from: 0, to: 3, skipped: 3 }],
      ...observed(0),
    ];
    expect(check(lines)).toMatchObject({ violations: [], lost: 3 });
  });

  const wrong: readonly (readonly [string, readonly Line[], RegExp, Partial<RoundPlan>?])[] = [
    [
      "a record that nobody was given",
      [...begin, ...claim("1.0", 0), ...work("1.0", 0, 2), ...commit("1.0", 0, 3), ...observed(3)],
      /record 1 of partition 0 was lost/,
    ],
    [
      "a gap",
      [...begin, ...work("0.0", 0, 2), killed(0), ...end],
      /was given record 2 of partition 0 where 1 was next/,
    ],
    [
      "a position of a record that is only in hand",
      [...begin, delivered("0.0", 0), ...commit("0.0", 1, 1), ...end],
      /sent position 1 of partition 0 with only those before 0 worked on/,
    ],
    [
      "an acknowledged position that is gone",
      [...begin, ...work("0.0", 0), ...commit("0.0", 1, 1), killed(0), ...end],
      /found partition 0 at 0, which was acknowledged at 1: it went back/,
    ],
    [
      "a claim that is lost with its position",
      [...begin, killed(0), ...claim("1.0", null), ...commit("1.0", 0, 0), ...end.slice(2)],
      /found partition 0 at null, which was acknowledged at 0/,
    ],
    ["a position that nobody sent", [...begin, killed(0), ...claim("2.0", 2), ...end], /at 2, which nobody had sent/],
    [
      "a write over the successor's",
      [...begin, ...work("0.0", 0), ...claim("1.0", 0), ...commit("0.0", 1, 1), ...end.slice(2)],
      /session 0.0 stored 1 in partition 0 although session 1.0 had claimed it at 0/,
    ],
    [
      "a write that goes back",
      [...begin, ...work("0.0", 0, 1), ...commit("0.0", 1, 2), ...commit("0.0", 2, 1), killed(0), ...end],
      /stored position 1 of partition 0 over 2: it went back/,
    ],
    [
      "a write after the fence",
      [...begin, ...work("0.0", 0), ...claim("1.0", 0), fenced("0.0"), ...commit("0.0", 1, 1, "superseded"), ...good],
      /wrote to partition 0 after it was fenced/,
    ],
    [
      "reading after the fence",
      [...begin, ...claim("1.0", 0), fenced("0.0"), ...work("0.0", 0, 1, 2), ...end.slice(2)],
      /went on reading after it was fenced/,
    ],
    ["a fence by nobody", [...begin, fenced("0.0"), ...end], /was fenced by nobody/],
    [
      "a fence by the late claim of a process that was dead before",
      [...begin, killed(0), ["1.0", { what: "claiming" }], killed(1), ...claim("2.0", 0), fenced("2.0"), ...end],
      /session 2.0 was fenced by nobody/,
    ],
    ["a fence for another reason", [...begin, fenced("0.0", "absent"), ...end], /was fenced: absent/],
    [
      "an answer that must not be",
      [...begin, ...work("0.0", 0), ...commit("0.0", 1, 1, "CORRUPT_RECORD"), killed(0), ...end],
      /was told "CORRUPT_RECORD"/,
    ],
    [
      "a holder that is told to be behind",
      [...begin, ...work("0.0", 0), ...commit("0.0", 1, 1, "behind"), killed(0), ...end],
      /was told "behind"/,
    ],
    [
      "a record while the one before is not stored, where each is flushed",
      [...begin, ...work("0.0", 0, 1), killed(0), ...end],
      /was given a record while 1 before it were not stored/,
      { lives: [{ ...life, flushInterval: 0 }] },
    ],
    [
      "closing without a flush",
      [...begin, ...work("0.0", 0), ["0.0", { what: "left" }], ...end],
      /closed with partition 0 done up to 1 and 0 stored/,
    ],
    [
      "a flush that never comes",
      [
        ...begin,
        ...work("0.0", 0),
        ...Array.from({ length: 1_100 }, (_, index) => renewal("0.0", index + 1)).flat(),
        killed(0),
        ...end,
      ],
      /had not stored what was done in partition 0 \d+ ms after its flush was due/,
    ],
    ["a position seen to go back", [...good, ...observed(2), ...observed(3)], /saw partition 0 at 2 after 3/],
    [
      "a result without its position",
      [...begin, ...observed(0, [[0]]), ...end],
      /saw partition 0 at 0 and 1 records written in its transactions/,
    ],
    ["a position without its result", [...good, ...observed(3, [[0, 1]])], /at 3 and 2 records written/],
    ["a result that is there twice", [...good, ...observed(3, [[0, 1, 1]])], /with 1 in the place of 2/],
    [
      "a wrong count of what is lost",
      [
        ...begin,
        ["campaign", { what: "retained", partition: 0, before: 2 }],
        ["0.0", { what: "reset", partition: 0, from: 0, to: 2, skipped: 1 }],
        ...end,
      ],
      /was told that 1 records are lost between 0 and 2/,
    ],
    ["a last position that is not the end", good.slice(0, -2), /ended at position undefined, not 3/],
    ["an error that is none of an outage", [["0.0", { what: "failed", error: "E" }], ...good], /failed: E/],
    ["what never came", [["campaign", { what: "gave-up", why: "it hangs" }], ...good], /gave up: it hangs/],
  ];

  it.each(wrong.map(([what, lines, says, changed]) => ({ what, lines, says, changed })))(
    "$what",
    ({ lines, says, changed }) => expect(check(lines, changed).violations.join("\n")).toMatch(says),
  );
});
