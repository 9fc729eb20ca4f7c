import { existsSync, readFileSync } from "node:fs";

/** One record that a member worked on. `endedAt` is absent where it did not come to an end. */
interface Work {
  readonly life: number;
  readonly partition: number;
  readonly offset: number;
  readonly begunAt: number;
  endedAt: number | undefined;
}

/** How long a member held a partition. */
interface Hold {
  readonly life: number;
  readonly partition: string;
  readonly claimedAt: number;
  /** When the member worked last while it held the partition; when it claimed it, where it did not. */
  workedAt: number;
}

/** A member's life, and what was done to it. */
export interface MemberLife {
  readonly journalFile: string;
  /** When it was first disturbed; infinite: never. */
  readonly disturbedAt: number;
  /** When it went on after it was frozen. */
  readonly thawedAt: readonly number[];
}

/** What a group did in all. */
export interface SharingFigures {
  /** Records that were worked on, each once. */
  readonly records: number;
  /** How often records were worked on that another had worked on before. */
  readonly repeats: number;
  /** How often partitions were claimed. */
  readonly assigned: number;
  /**
   * The longest time from the last work of a member that held a partition, on that or another one, to the claim of the next, in
   * milliseconds. A member that has too much to do holds partitions that it has not come to.
   */
  readonly longestUnheldMs: number;
  /** The same in leases, as long as the former member's was by then. */
  readonly longestUnheldLeases: number;
  /** Where that was: the partition, the two members, and when the former worked last. */
  readonly longestUnheld: string;
  /** How often a process stood still by itself: what it did then proves nothing. */
  readonly standstills: number;
  readonly violations: readonly string[];
}

/**
 * A member that writes nothing for this part of its lease stood still, as if it was frozen: it writes far more often that it is
 * there. What that cost it shows within so many leases, as long as its own is by then, and some calls that time out after 2 s.
 */
const STANDSTILL_LEASES = 0.5;
const AFTERMATH_LEASES = 3;
const AFTERMATH_MS = 5_000;

/** A time in which a process stood still by itself, and in which it finds out what that cost it. */
interface Standstill {
  readonly from: number;
  readonly to: number;
}

/**
 * Reads what all members wrote down. A record may be worked on twice only if the first to do so was disturbed in or before it,
 * or shortly after, or closed with it in hand, or if the second had it in hand when it was frozen. One whose process stood still counts as disturbed for that time, and for a while after it. Two may work on one partition only if the first of them was disturbed; nobody undisturbed is robbed.
 */
export function checkSharing(
  planned: readonly MemberLife[],
  {
    produced,
    unflushedMs,
    leaseMs,
  }: { readonly produced: readonly number[]; readonly unflushedMs: number; readonly leaseMs: number },
): SharingFigures {
  const journals = planned.map(({ journalFile }) =>
    existsSync(journalFile) ? readFileSync(journalFile, "utf8").split("\n") : [],
  );
  const lives = planned.map((life, index) => ({ ...life, standstills: standstillsIn(journals[index] ?? [], leaseMs) }));
  // Whether something had happened to a member by the end of a time, or it stood still in it.
  const isDisturbed = (life: number, from: number, to: number): boolean => {
    const { disturbedAt = 0, standstills = [] } = lives[life] ?? {};
    return disturbedAt <= to || standstills.some((one) => one.from <= to && from <= one.to);
  };
  const violations: string[] = [];
  const works: Work[] = [];
  let assigned = 0;
  const holds: Hold[] = [];
  // When each life's lease became longer.
  const leases = lives.map(() => [{ at: 0, leaseMs }]);
  for (const [life, { journalFile }] of lives.entries()) {
    let open: Work | undefined;
    const held = new Map<string, Hold>();
    for (const line of journals[life] ?? []) {
      const [what, at = "", first = "", second = ""] = line.split(" ");
      if (what === "begin") {
        for (const hold of held.values()) hold.workedAt = Number(at);
        open = { life, partition: Number(first), offset: Number(second), begunAt: Number(at), endedAt: undefined };
        works.push(open);
      } else if (open !== undefined && (what === "end" || what === "failed" || what === "over")) {
        // Work may also end with an error: the consumer was closed.
        open.endedAt ??= Number(at);
      }
      if (what === "extended") leases[life]?.push({ at: Number(at), leaseMs: Number(first) });
      if (what === "assigned") {
        for (const partition of first.split(",")) {
          assigned += 1;
          const hold = { life, partition, claimedAt: Number(at), workedAt: Number(at) };
          held.set(partition, hold);
          holds.push(hold);
        }
      }
      if (what === "revoked") for (const partition of first.split(",")) held.delete(partition);
      if (what === "over" || what === "failed") held.clear();
      if (what === "revoked" && second !== "rebalanced" && !isDisturbed(life, Number(at), Number(at))) {
        violations.push(
          `member ${life} was robbed of ${first} (${second}) and nothing had happened to it: ${journalFile}`,
        );
      }
    }
  }
  const lastOf = new Map(works.map((work) => [work.life, work]));
  works.sort((a, b) => a.begunAt - b.begunAt);
  const inHandAtThaw = new Set(
    lives.flatMap(({ thawedAt }, life) =>
      thawedAt.map((at) => works.find((work) => work.life === life && work.begunAt >= at)),
    ),
  );
  let repeats = 0;
  for (const [partition, count] of produced.entries()) {
    const own = works.filter((work) => work.partition === partition);
    const first = new Map<number, Work>();
    let former: Work | undefined;
    for (const work of own) {
      if (former !== undefined && former.life !== work.life) {
        checkApart(former, work);
      }
      former = work;
      const earlier = first.get(work.offset);
      if (earlier === undefined) {
        first.set(work.offset, work);
        continue;
      }
      repeats += 1;
      // It had looked at the clock and not begun yet, when it was frozen.
      if (inHandAtThaw.has(work)) continue;
      // Whoever closes while a record is in hand commits all but that one (contract 5.1).
      if (lastOf.get(earlier.life) === earlier) continue;
      const endedAt = earlier.endedAt ?? earlier.begunAt;
      if (!isDisturbed(earlier.life, endedAt, endedAt + unflushedMs)) {
        violations.push(
          `${partition}/${work.offset} was worked on by member ${earlier.life} in peace, and again by ${work.life}`,
        );
      }
    }
    for (let offset = 0; offset < count; offset += 1)
      if (!first.has(offset)) violations.push(`${partition}/${offset} was never worked on`);
  }
  // The last of all begins when the others have ended, to read what is left.
  const reader = lives.length - 1;
  const unheld = longestUnheldOf(
    holds.filter(({ life }) => life !== reader),
    (life, at) => leases[life]?.findLast((one) => one.at <= at)?.leaseMs ?? leaseMs,
  );
  return {
    ...{ records: works.length - repeats, repeats, assigned, ...unheld },
    standstills: lives.flatMap(({ standstills, disturbedAt }) => standstills.filter(({ from }) => from < disturbedAt))
      .length,
    violations: violations.slice(0, 20),
  };

  function checkApart(former: Work, work: Work): void {
    const endedAt = former.endedAt ?? Number.POSITIVE_INFINITY;
    // The clock's step, and what lies between the end of the work and the writing down of it.
    if (endedAt <= work.begunAt + 1 || isDisturbed(former.life, former.begunAt, endedAt)) return;
    violations.push(
      `members ${former.life} and ${work.life} worked on partition ${work.partition} at once: ${former.offset}, ${work.offset}`,
    );
  }
}

/** When the process stood still. */
function standstillsIn(lines: readonly string[], leaseMs: number): Standstill[] {
  const standstills: Standstill[] = [];
  let before = Number.POSITIVE_INFINITY;
  let longestMs = leaseMs;
  for (const line of lines) {
    const [what, time = Number.NaN, lengthened] = line.split(" ");
    const at = Number(time);
    if (Number.isNaN(at)) continue;
    if (what === "extended") longestMs = Math.max(longestMs, Number(lengthened));
    if (at - before >= STANDSTILL_LEASES * leaseMs)
      standstills.push({ from: before, to: at + AFTERMATH_LEASES * longestMs + AFTERMATH_MS });
    before = at;
  }
  return standstills;
}

/** The longest time that a partition was without a member that works. */
function longestUnheldOf(
  holds: readonly Hold[],
  leaseOf: (life: number, at: number) => number,
): Pick<SharingFigures, "longestUnheldMs" | "longestUnheldLeases" | "longestUnheld"> {
  let longest = { longestUnheldMs: 0, longestUnheldLeases: 0, longestUnheld: "" };
  const former = new Map<string, Hold>();
  for (const hold of holds.toSorted((a, b) => a.claimedAt - b.claimedAt)) {
    const before = former.get(hold.partition);
    former.set(hold.partition, hold);
    if (before === undefined || before.life === hold.life) continue;
    const longestUnheldMs = hold.claimedAt - before.workedAt;
    const longestUnheldLeases = longestUnheldMs / leaseOf(before.life, hold.claimedAt);
    if (longestUnheldLeases <= longest.longestUnheldLeases) continue;
    const where = `partition ${hold.partition}, from member ${before.life} to ${hold.life}, at ${before.workedAt}`;
    longest = { longestUnheldMs, longestUnheldLeases, longestUnheld: where };
  }
  return longest;
}
