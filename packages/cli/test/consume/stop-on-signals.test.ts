import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, onTestFinished, test } from "vitest";
import { stopOnSignals, type StopSignals } from "../../src/commands/consume/stop-on-signals.ts";

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
  const { signals } = listen();
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const waits = 20_000;
  const waitForAll = async (): Promise<number> => {
    for (let count = 0; count < waits; count += 1) await signals.unlessReceived(Promise.resolve());
    collect();
    return process.memoryUsage().heapUsed;
  };
  const before = await waitForAll();
  // A race with the signal would leave some 300 bytes.
  expect(((await waitForAll()) - before) / waits).toBeLessThan(100);
});
