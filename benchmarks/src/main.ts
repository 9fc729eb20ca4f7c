/** Runs all comparisons and prints them as a table; see the README beside this folder for what was measured when. */
import { compareConsumer } from "./consumer.ts";
import { compareStores } from "./stores.ts";

const comparisons = [...(await compareConsumer()), ...(await compareStores())];
console.table(
  Object.fromEntries(
    comparisons.map(({ name, subject, baseline, ratio, lowestRatio, highestRatio }) => [
      name,
      {
        "per second": Math.round(subject),
        "held against": Math.round(baseline),
        ratio: Number(ratio.toFixed(3)),
        "lowest to highest": `${lowestRatio.toFixed(3)} to ${highestRatio.toFixed(3)}`,
      },
    ]),
  ),
);
