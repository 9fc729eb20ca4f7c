import type { OffsetStore } from "@tidemark/core";
import { committing, fill } from "./committing.ts";
import { type Comparison, compare } from "./paired.ts";

const FEW = 100;
const MANY = 100_000;
const ROUNDS = 9;

/** What two stores of one kind are compared with. */
export interface GrowthOptions {
  readonly name: string;
  /** Opens a store in a database, file or bucket of its own. */
  open(place: "few" | "many"): Promise<OffsetStore>;
  /** How many commits a round makes on each side. */
  readonly calls: number;
  /** How many filling calls are in flight at once. */
  readonly inFlight: number;
}

/** One commit of one record among 100,000 others against one among 100: a ratio of 1 says that their number costs nothing. */
export async function compareGrowth({ name, open, calls, inFlight }: GrowthOptions): Promise<Comparison> {
  await using few = await open("few");
  await using many = await open("many");
  await fill(few, FEW, inFlight);
  const startedAt = performance.now();
  await fill(many, MANY, inFlight);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  process.stderr.write(`${name}: ${MANY} records claimed in ${seconds} s\n`);
  return await compare(
    `${name}, one commit among ${MANY.toLocaleString("en")} records, against among ${FEW}`,
    ROUNDS,
    await committing(many, 1, calls),
    await committing(few, 1, calls),
  );
}
