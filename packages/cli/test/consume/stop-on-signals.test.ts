import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { stopOnSignals, type StopSignals } from "../../src/commands/consume/stop-on-signals.ts";

/** So many that what stays of each is more than what a process does beside them. */
const WAITS = 100_000;

function listen(): { readonly signals: StopSignals; readonly stopped: () => number } {
  let stops = 0;
  const signals = stopOnSignals(() => (stops += 1));
  onTestFinished(() => signals.release());
  return { signals, stopped: () => stops };
}

test("a wait ends with what is waited for, and fails with it", async () => {
  const { signals } = listen();
  await signals.unlessReceived(Promise.resolve());
  await expect(signals.unlessReceived(Promise.reject(new Error("cut off")))).rejects.toThrow("cut off");
});

test("a signal ends the wait, and every later one", async () => {
  const { signals, stopped } = listen();
  const never = new Promise<void>(() => {});
  const waiting = signals.unlessReceived(never);
  process.emit("SIGTERM");
  await waiting;
  await signals.received;
  await signals.unlessReceived(never);
  await signals.unlessReceived(Promise.reject(new Error("nobody waits for it")));
  expect(stopped()).toBe(1);
});

test("nothing stays of a wait, however many there are", async () => {
  const module = new URL("../../src/commands/consume/stop-on-signals.ts", import.meta.url);
  // In a process of its own: nothing else is on its heap.
  const script = `
    import { stopOnSignals } from ${JSON.stringify(module.href)};
    const signals = stopOnSignals(() => undefined);
    const heapAfterWaits = async () => {
      for (let count = 0; count < ${WAITS}; count += 1) await signals.unlessReceived(Promise.resolve());
      gc();
      return process.memoryUsage().heapUsed;
    };
    const before = await heapAfterWaits();
    console.log((await heapAfterWaits()) - before);
    signals.release();
  `;
  const flags = ["--conditions=@tidemark/source", "--expose-gc", "--input-type=module"];
  const { stdout } = await promisify(execFile)(process.execPath, [...flags, "-e", script], { timeout: 60_000 });
  // A race with the signal would leave some 300 bytes of each.
  expect(Number.parseInt(stdout, 10) / WAITS).toBeLessThan(100);
});
