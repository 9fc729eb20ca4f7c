/**
 * The campaign of those who share a topic: processes of one name that start, stop, are killed, frozen and cut off at random
 * moments. See docs/campaign.md.
 *
 *     campaign:sharing [STORE...] [--log local|kafka] [--members N] [--rounds N] [--actions A,B]
 *                      [--settle LEASES] [--keep] [--seed S] [--json FILE]
 *
 * `--actions none` is the duel: members that nothing happens to.
 *
 * Exits with 0, and with 1 upon a violation or where a store's server is missing.
 */
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runSharing, sharingActions, type SharingResult } from "./run-sharing.ts";

const STORES = ["sqlite", "redis", "mongo", "postgres", "s3"] as const;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: "string", default: "200" },
    seed: { type: "string", default: String(randomInt(2 ** 31)) },
    json: { type: "string" },
    log: { type: "string", default: "local" },
    actions: { type: "string", default: sharingActions.join(",") },
    members: { type: "string", default: "5" },
    settle: { type: "string" },
    keep: { type: "boolean", default: false },
  },
});
const unknown = positionals.find((name) => !STORES.some((store) => store === name));
if (unknown !== undefined) {
  process.stderr.write(`campaign: there is no store "${unknown}"; there are ${STORES.join(", ")}\n`);
  process.exit(2);
}
const { log } = values;
const actions = values.actions.split(",").flatMap((name) => sharingActions.find((action) => action === name) ?? []);
if ((log !== "local" && log !== "kafka") || (actions.length === 0 && values.actions !== "none")) {
  process.stderr.write(`campaign: --log is local or kafka, --actions are none, or of ${sharingActions.join(", ")}\n`);
  process.exit(2);
}
const settle = values.settle === undefined ? {} : { settle: Number(values.settle) };
const seed = Number(values.seed);
const rounds = Number(values.rounds);
const results: SharingResult[] = [];
let isMissing = false;
process.stderr.write(`seed ${seed}\n`);
for (const store of STORES.filter((name) => positionals.length === 0 || positionals.includes(name))) {
  const result = await runSharing({
    ...{ store, rounds, seed, log, actions, members: Number(values.members), keeps: values.keep, ...settle },
    onRound(round, action) {
      if (process.stderr.isTTY) process.stderr.write(`\r${store}: round ${round + 1} of ${rounds}: ${action}      `);
      else if (round % 20 === 0) process.stderr.write(`${store}: round ${round}\n`);
    },
  });
  if ("missing" in result) {
    isMissing = true;
    process.stderr.write(`${store}: ${result.missing}\n`);
    continue;
  }
  results.push(result);
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify({ seed, results }, undefined, 2)}\n`);
process.exit(isMissing || results.some(({ violations }) => violations.length > 0) ? 1 : 0);
