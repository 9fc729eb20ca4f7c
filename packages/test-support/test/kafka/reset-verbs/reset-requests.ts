import type { TopicKind } from "./reset-topics.ts";

/** One partition in a request. */
export interface RequestedPartition {
  readonly topic: TopicKind;
  readonly partition: number;
  /** Where the consumer is; absent: it has no position there. */
  readonly stored?: bigint;
  /** What about it is worth a case of its own. */
  readonly what: string;
  /** Why the two tools are to differ here, and only then. */
  readonly because?: string;
}

/** One request that both tools get. */
export interface ResetRequest {
  /** How the document names it. */
  readonly request: string;
  /** Which topics: those of the partitions, all that the consumer has positions on, or others. Default: `topics`. */
  readonly scope?: "topics" | "all-topics" | "unknown-topic" | "unknown-partition" | "partition-1";
  /** `plan`: nothing is to be written. Default: it is. */
  readonly mode?: "plan";
  /** Somebody is reading under this name meanwhile. */
  readonly isActive?: boolean;
  /** The verb and its argument. `firstAtMs`: when record 0 was written. */
  verb(firstAtMs: number): readonly string[];
  readonly partitions: readonly RequestedPartition[];
}

const MINUTE_MS = 60_000;
const LARGEST = "9223372036854775807";

const partition = (
  topic: TopicKind,
  stored: bigint | undefined,
  what: string,
  because?: string,
  number = 0,
): RequestedPartition => ({
  topic,
  partition: number,
  what,
  ...(stored !== undefined && { stored }),
  ...(because !== undefined && { because }),
});

/** The full topic's other partition. */
const other = (stored: bigint | undefined, what: string, because?: string): RequestedPartition =>
  partition("full", stored, what, because, 1);

const verb =
  (...args: string[]): (() => readonly string[]) =>
  () =>
    args;

/** A moment so many minutes after record 0, as Kafka's tool wants it. */
const momentAfter =
  (minutes: number, form: (iso: string) => string = (iso) => iso): ((firstAtMs: number) => readonly string[]) =>
  (firstAtMs) => ["--to-datetime", form(new Date(firstAtMs + minutes * MINUTE_MS).toISOString())];

/** Every topic, with a position and without, inside of the log and outside. */
const everywhere: readonly RequestedPartition[] = [
  partition("full", 5n, "a position in the middle"),
  other(undefined, "no position"),
  partition("trimmed", 2n, "a position whose record is deleted"),
  partition("emptied", 3n, "a log whose records are all deleted"),
  partition("empty", undefined, "a log that never had a record"),
];

const TRANSACTION =
  "Records of an open transaction are not yet visible to consumers that read committed ones: a position behind them would skip them.";
const NEGATIVE_OFFSET = "A negative offset is refused as a typing error; Kafka's tool goes to the beginning.";
const OVERFLOW = "Kafka's tool overflows and goes to the beginning; Tidemark stops at the end.";
const NO_MILLISECONDS = "An ISO 8601 date needs no milliseconds.";
const SHORT_DURATION = "Durations such as `1h`, which the other options take, work here too.";
const BEFORE_THE_EPOCH = "The start lies before 1970, so all records are included.";
const NEGATIVE_DURATION = "A negative duration is refused as a typing error; Kafka's tool goes to the end.";
const NOTHING_THERE = "A request that finds nothing to do fails: the name may be misspelt.";
const FENCED =
  "The reset fences the running session: its later writes are refused. It continues at the new position, or stops with `takeover`.";

/** The table: what both tools are asked. */
export const resetRequests: readonly ResetRequest[] = [
  // First: the broker ends a transaction that is open for long.
  {
    request: "`--to-latest`",
    verb: verb("--to-latest"),
    partitions: [partition("open", 5n, "an open transaction at the end", TRANSACTION)],
  },
  { request: "`--to-earliest`", verb: verb("--to-earliest"), partitions: everywhere },
  { request: "`--to-latest`", verb: verb("--to-latest"), partitions: everywhere },
  { request: "`--to-offset 5`", verb: verb("--to-offset", "5"), partitions: everywhere },
  {
    request: "`--to-offset 1`",
    verb: verb("--to-offset", "1"),
    partitions: [
      partition("full", 5n, "inside of the log"),
      other(undefined, "inside of the log, no position"),
      partition("trimmed", 6n, "before the log's beginning"),
    ],
  },
  {
    request: "`--to-offset 99`",
    verb: verb("--to-offset", "99"),
    partitions: [
      partition("full", 5n, "beyond the log's end"),
      other(undefined, "beyond the log's end, no position"),
      partition("empty", undefined, "beyond the end of an empty log"),
    ],
  },
  {
    request: "`--to-offset` 2^63 - 1",
    verb: verb("--to-offset", LARGEST),
    partitions: [partition("full", 5n, "the largest offset"), other(0n, "the largest offset, from 0")],
  },
  {
    request: "`--to-offset -1`",
    verb: verb("--to-offset", "-1"),
    partitions: [
      partition("full", 5n, "a negative offset", NEGATIVE_OFFSET),
      other(5n, "a negative offset", NEGATIVE_OFFSET),
    ],
  },
  {
    request: "`--shift-by 3`",
    verb: verb("--shift-by", "3"),
    partitions: [
      partition("full", 2n, "stays inside"),
      other(9n, "beyond the end"),
      partition("trimmed", 2n, "from outside to inside"),
      partition("emptied", 3n, "beyond the end of an emptied log"),
    ],
  },
  {
    request: "`--shift-by -3`",
    verb: verb("--shift-by", "-3"),
    partitions: [
      partition("full", 5n, "stays inside"),
      other(2n, "before the beginning"),
      partition("trimmed", 6n, "to a deleted record"),
    ],
  },
  {
    request: "`--shift-by 1000`",
    verb: verb("--shift-by", "1000"),
    partitions: [partition("full", 5n, "far beyond the end"), other(99n, "from beyond the end")],
  },
  {
    request: "`--shift-by -1000`",
    verb: verb("--shift-by", "-1000"),
    partitions: [partition("full", 5n, "far before the beginning"), other(0n, "from 0")],
  },
  {
    request: "`--shift-by 0`",
    verb: verb("--shift-by", "0"),
    partitions: [partition("full", 5n, "inside"), other(99n, "from beyond the end")],
  },
  {
    request: "`--shift-by 3`",
    verb: verb("--shift-by", "3"),
    partitions: [partition("full", 2n, "another partition has no position"), other(undefined, "no position to shift")],
  },
  {
    request: "`--shift-by` 2^63 - 1",
    verb: verb("--shift-by", LARGEST),
    partitions: [partition("full", 5n, "beyond the largest offset", OVERFLOW), other(0n, "to the largest offset")],
  },
  { request: "`--to-datetime` a day before the first record", verb: momentAfter(-1440), partitions: everywhere },
  { request: "`--to-datetime` between records 4 and 5", verb: momentAfter(27), partitions: everywhere },
  {
    request: "`--to-datetime` the time of record 5",
    verb: momentAfter(30),
    partitions: [
      partition("full", 2n, "a record of that time"),
      other(undefined, "a record of that time, no position"),
    ],
  },
  { request: "`--to-datetime` a year later", verb: momentAfter(525_600), partitions: everywhere },
  {
    request: "`--to-datetime` without a zone",
    verb: momentAfter(27, (iso) => iso.replace("Z", "")),
    partitions: [partition("full", 2n, "read as UTC"), other(9n, "read as UTC")],
  },
  {
    request: "`--to-datetime` with `+02:00`",
    verb: momentAfter(147, (iso) => iso.replace("Z", "+02:00")),
    partitions: [partition("full", 2n, "the zone counts"), other(9n, "the zone counts")],
  },
  {
    request: "`--to-datetime` without milliseconds",
    verb: momentAfter(27, (iso) => iso.replace(".000Z", "Z")),
    partitions: [
      partition("full", 2n, "a shorter date", NO_MILLISECONDS),
      other(9n, "a shorter date", NO_MILLISECONDS),
    ],
  },
  { request: "`--by-duration PT33M`", verb: verb("--by-duration", "PT33M"), partitions: everywhere },
  { request: "`--by-duration P10D`", verb: verb("--by-duration", "P10D"), partitions: everywhere },
  {
    request: "`--by-duration P30000D`",
    verb: verb("--by-duration", "P30000D"),
    partitions: [
      partition("full", 5n, "longer than since the epoch", BEFORE_THE_EPOCH),
      other(5n, "the same", BEFORE_THE_EPOCH),
    ],
  },
  {
    request: "`--by-duration 33m`",
    verb: verb("--by-duration", "33m"),
    partitions: [partition("full", 9n, "a shorter form", SHORT_DURATION), other(9n, "a shorter form", SHORT_DURATION)],
  },
  {
    request: "`--by-duration -PT1H`",
    verb: verb("--by-duration", "-PT1H"),
    partitions: [
      partition("full", 5n, "a negative duration", NEGATIVE_DURATION),
      other(5n, "a negative duration", NEGATIVE_DURATION),
    ],
  },
  {
    request: "`--to-current`",
    verb: verb("--to-current"),
    partitions: [
      partition("full", 5n, "a position"),
      other(undefined, "no position"),
      partition("trimmed", 2n, "a position whose record is deleted"),
      partition("emptied", 99n, "a position beyond the end"),
    ],
  },
  {
    request: "`--to-earliest`, one partition named",
    scope: "partition-1",
    verb: verb("--to-earliest"),
    partitions: [partition("full", 5n, "not named"), other(5n, "named")],
  },
  {
    request: "`--to-latest`, no topic named",
    scope: "all-topics",
    verb: verb("--to-latest"),
    partitions: [
      partition("full", 5n, "a position"),
      other(undefined, "no position"),
      partition("trimmed", 6n, "a position on another topic"),
    ],
  },
  {
    request: "`--to-latest`, no topic named",
    scope: "all-topics",
    verb: verb("--to-latest"),
    partitions: [partition("full", undefined, "a consumer without any position", NOTHING_THERE)],
  },
  { request: "`--to-latest`, a plan", mode: "plan", verb: verb("--to-latest"), partitions: everywhere },
  {
    request: "`--to-latest`, a topic that is not there",
    scope: "unknown-topic",
    verb: verb("--to-latest"),
    partitions: [partition("full", 5n, "the other topic named beside it")],
  },
  {
    request: "`--to-latest`, a partition that is not there",
    scope: "unknown-partition",
    verb: verb("--to-latest"),
    partitions: [partition("full", 5n, "the other partition named beside it")],
  },
  {
    request: "`--to-earliest`, somebody is reading",
    isActive: true,
    verb: verb("--to-earliest"),
    partitions: [partition("full", 5n, "a running consumer", FENCED), other(5n, "a running consumer", FENCED)],
  },
];
