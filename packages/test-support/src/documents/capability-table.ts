import type { StoreCapabilities } from "@tidemark/core";

/** One way to open a store, and what it then declares. */
export interface StoreVariant {
  /** The column's head, for example `synchronous: "full"`; empty where a store has one way only. */
  readonly variant: string;
  readonly capabilities: StoreCapabilities;
}

/** What a session takes where the store says nothing. */
const DEFAULT_LEASE_MS = 10_000;

const DURABILITY: Readonly<Record<StoreCapabilities["durability"], string>> = {
  none: "`none`: gone with the process",
  process: "`process`: survives the process; a power cut may take the last writes",
  synced: "`synced`: survives a power cut",
  async: "`async`: a failover may undo the last writes",
};

/** Says what a store declares of itself as a Markdown table, one column per variant. */
export function capabilityTable(variants: readonly StoreVariant[]): string {
  const rows: readonly (readonly [string, (capabilities: StoreCapabilities) => string])[] = [
    ["`atomicBatch`", ({ atomicBatch }) => (atomicBatch ? "yes" : "no: each key separately")],
    ["`maxBatch`", ({ maxBatch }) => `${maxBatch.toLocaleString("en-US")} entries a request`],
    ["`transactions`", ({ transactions }) => (transactions ? "yes" : "no: `UNSUPPORTED`")],
    ["`durability`", ({ durability }) => DURABILITY[durability]],
    [
      "`expiry`",
      ({ expiry }) =>
        `in steps of ${expiry.granularityMs} ms; space is freed ${expiry.reclaim === "native" ? "automatically" : "by later writes"}`,
    ],
  ];
  const lease = ({ leaseMs = DEFAULT_LEASE_MS }: StoreCapabilities): string =>
    `${leaseMs.toLocaleString("en-US")} ms, unless a session chooses its own`;
  const saysLease = variants.some(({ capabilities }) => capabilities.leaseMs !== undefined);
  const lines = [
    ["capability", ...variants.map(({ variant }) => variant)],
    ["---", ...variants.map(() => "---")],
    ...[...rows, ...(saysLease ? [["`leaseMs`", lease] as const] : [])].map(([name, value]) => [
      name,
      ...variants.map(({ capabilities }) => value(capabilities)),
    ]),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}
