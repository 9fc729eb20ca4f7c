import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openLocalLog } from "@tidemark/source-local";
import type { MissingServer } from "../servers/index.ts";
import { logFileIn } from "./arenas/embedded.ts";
import { openArena } from "./arenas/open-arena.ts";
import { CampaignFigures } from "./campaign-figures.ts";
import type { Flaw } from "./flawed-store.ts";
import type { OpenedPlace } from "./places/place.ts";
import type { CampaignStoreName, RoundPlan } from "./round-plan.ts";
import { type RoundResult, runRound } from "./run-round.ts";
import { WorkerPool } from "./worker-pool.ts";

/** What to run. */
export interface CampaignOptions {
  readonly store: CampaignStoreName;
  /** The rounds, all of that store. */
  readonly plans: Iterable<RoundPlan>;
  /** A fault of the store, to show that it is found. */
  readonly flaw?: Flaw;
  /** Milliseconds after which what should happen has failed to. Default 60,000. */
  readonly patience?: number;
  /** Hears of each round; the campaign continues unless it gives false. Default: it stops at the first violation. */
  readonly onRound?: (result: RoundResult, figures: CampaignFigures) => boolean;
}

const SPARE_WORKERS = 2;
const DEFAULT_PATIENCE_MS = 60_000;

/**
 * Runs rounds on one store, one after the other, on servers of its own. Gives the figures; its `violations` say what must not
 * be. Where the server is missing it gives why.
 */
export async function runCampaign(options: CampaignOptions): Promise<CampaignFigures | MissingServer> {
  const { store, plans, flaw, onRound, patience = DEFAULT_PATIENCE_MS } = options;
  const folder = mkdtempSync(join(tmpdir(), "tidemark-campaign-"));
  await using stack = new AsyncDisposableStack();
  let keepsFolder = false;
  stack.defer(async () => {
    if (!keepsFolder) await rm(folder, { recursive: true });
  });
  const log = stack.use(await openLocalLog({ file: logFileIn(folder), synchronous: "normal" }));
  const arena = await openArena(store, folder);
  if ("missing" in arena) return arena;
  stack.use(arena);
  const pool = arena.place(false) === undefined ? undefined : stack.use(new WorkerPool(store, folder, SPARE_WORKERS));
  const eyes = new Map<boolean, Promise<OpenedPlace>>();
  stack.defer(async () => {
    await Promise.all([...eyes.values()].map(async (opened) => (await opened).close()));
  });
  const eye = (transactional: boolean): Promise<OpenedPlace> => {
    const opened = eyes.get(transactional) ?? arena.open(transactional);
    eyes.set(transactional, opened);
    // In an outage it cannot be opened: another time.
    opened.catch(() => eyes.delete(transactional));
    return opened;
  };
  const figures = new CampaignFigures(store, arena.version);
  for (const plan of plans) {
    const result = await runRound(plan, { arena, pool, log, folder, eye, flaw, patience });
    figures.add(result);
    keepsFolder ||= result.journalFile !== undefined && flaw === undefined;
    const goesOn = onRound?.(result, figures) ?? result.violations.length === 0;
    if (!goesOn) break;
  }
  return figures;
}
