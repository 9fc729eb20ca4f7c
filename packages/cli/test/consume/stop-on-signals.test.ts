import { expect, onTestFinished, test, vi } from "vitest";
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

test("nothing stays of a wait with the signal, however many there are", async () => {
  const { signals } = listen();
  // A race with it would call this for each, and what it leaves would stay for as long as no signal comes.
  const react = vi.spyOn(signals.received, "then");
  for (let count = 0; count < 1_000; count += 1) await signals.unlessReceived(Promise.resolve());
  expect(react).not.toHaveBeenCalled();
});
