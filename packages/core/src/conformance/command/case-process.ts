// The process in which the cases run, one at a time, as the command asks for them: a store that hangs, or throws outside a
// call that is awaited, takes this process along, and not the report.
import { inspect } from "node:util";
import { driverConformanceCases } from "../driver/cases/index.ts";
import { hasDriver, runDriverCase } from "../driver/test-offset-store-driver.ts";
import { endWithParent } from "../end-with-parent.ts";
import { storeConformanceCases } from "../store/cases/index.ts";
import { openStore } from "../store/open-store.ts";
import type { OpenedStore, StoreHarness } from "../store/store-harness.ts";
import { runStoreCase } from "../store/test-offset-store.ts";
import type { Untried } from "../untried.ts";
import type { CaseAnswer, CaseRequest } from "./case-messages.ts";
import { failureText } from "./failure-text.ts";
import { importHarness } from "./harness-module.ts";
import { STOP_SIGNALS } from "./stop-signals.ts";

const [folder = "", specifier = "", detail = "", parent = ""] = process.argv.slice(2);
const open = new Set<OpenedStore<unknown>>();

// What the store prints is talk; the report alone is data. The command gets Ctrl-C and asks for the end.
for (const signal of STOP_SIGNALS) process.on(signal, () => {});
process.on("disconnect", () => process.exit());
endWithParent(Number(parent));
process.on("uncaughtException", (error) => {
  leave({ type: "broken", message: `thrown outside of any awaited call: ${textOf(error)}` });
});

function answer(message: CaseAnswer): void {
  process.send?.(message);
}

function leave(message: CaseAnswer): void {
  process.send?.(message, undefined, undefined, () => process.exit());
}

function textOf(error: unknown): string {
  return detail === "" ? failureText(error) : inspect(error);
}

/** The harness, but what it opens is known, and can be closed however the case ends. */
function tracked(harness: StoreHarness<unknown>): StoreHarness<unknown> {
  const track = (opened: OpenedStore<unknown>): OpenedStore<unknown> => {
    const { reopen } = opened;
    const close = async (): Promise<void> => {
      open.delete(known);
      await opened.close();
    };
    const replaced: Partial<OpenedStore<unknown>> = { close };
    if (reopen !== undefined) {
      replaced.reopen = async () => {
        open.delete(known);
        return track(await reopen.call(opened));
      };
    }
    // Its members are called on what was opened, which may be frozen and may have private ones.
    const known = new Proxy({} as OpenedStore<unknown>, {
      get: (_, name) => {
        const member: unknown = Reflect.get(name in replaced ? replaced : opened, name);
        return typeof member === "function" ? (member.bind(opened) as unknown) : member;
      },
    });
    open.add(known);
    return known;
  };
  return { ...harness, open: async (options) => track(await openStore(harness, options)) };
}

async function perform(
  harness: StoreHarness<unknown>,
  request: CaseRequest,
): Promise<{ readonly hasDriver?: boolean; readonly untried?: Untried }> {
  if (request.type === "stop") {
    await Promise.allSettled([...open].map((opened) => opened.close()));
    process.exit();
  }
  if (request.type === "try") {
    const opened = await harness.open({ namespace: `conformance-${process.pid}` });
    await opened.close();
    return { hasDriver: hasDriver(opened.store) };
  }
  const ofDriver = driverConformanceCases.find(({ id }) => id === request.id);
  const ofStore = storeConformanceCases.find(({ id }) => id === request.id);
  if (ofDriver === undefined && ofStore === undefined) throw new Error(`there is no case ${request.id}`);
  const untried =
    ofDriver === undefined ? ofStore && (await runStoreCase(harness, ofStore)) : await runDriverCase(harness, ofDriver);
  return untried === undefined ? {} : { untried };
}

try {
  const { storeHarness, knownDeviations } = await importHarness(folder, specifier);
  const harness = tracked(storeHarness);
  process.on("message", (request: CaseRequest) => {
    perform(harness, request).then(
      (seen) => answer({ type: "done", ...seen }),
      (error: unknown) => answer({ type: "done", message: textOf(error) }),
    );
  });
  answer({ type: "ready", name: storeHarness.name, knownDeviations });
} catch (error) {
  const message = error instanceof Error ? error.message : String(error);
  leave({ type: "unusable", message });
}
