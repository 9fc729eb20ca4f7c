import { fstatSync } from "node:fs";

/** How long a reader may be gone before that is noticed. */
const LOOK_MS = 200;

/** What is watched. */
export interface ReaderWatch {
  /** Looks no more. */
  release(): void;
}

/**
 * Calls `onGone`, once, when the reader of standard output has left (`| head`). Node learns it by a write alone, and who
 * waits for a record writes nothing; the system's `poll` says it, and of Node's modules only `node:wasi` offers that. Where
 * it cannot be asked, on Windows for one, the next write finds it as ever.
 */
export function watchReader(onGone: () => void): ReaderWatch {
  if (!hasOneReader()) return { release: () => {} };
  let isGone: (() => boolean) | undefined;
  const look = async (): Promise<void> => {
    isGone ??= await createLook();
    if (!isGone()) return;
    clearInterval(timer);
    onGone();
  };
  const timer = setInterval(() => {
    look().catch(() => clearInterval(timer));
  }, LOOK_MS);
  timer.unref();
  return { release: () => clearInterval(timer) };
}

/** Whether standard output is a pipe, or a socket that is not the input too: of such a one, the end of the input looks the same. */
function hasOneReader(): boolean {
  try {
    const output = fstatSync(1);
    return output.isFIFO() || (output.isSocket() && output.ino !== fstatSync(0).ino);
  } catch {
    return false;
  }
}

// What Node has of it; its types come with the DOM's.
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
};

type PollOneoff = (subscriptions: number, events: number, subscriptionCount: number, eventCount: number) => number;

// Two subscriptions of 48 bytes, then room for as many events of 32 bytes, and how many there are of these.
const CLOCK_AT = 48;
const EVENTS_AT = 96;
const EVENT_COUNT_AT = 160;
const FD_WRITE = 2;
const CLOCK_MONOTONIC = 1;
const STANDARD_OUTPUT = 1;
/** A pipe that is full answers nothing: then it is this that ends the question. */
const MOST_NS = 1_000_000n;

/** Makes the question whether the reader has left, by `poll_oneoff` of WASI: it answers at once where there is room for a write. */
async function createLook(): Promise<() => boolean> {
  const { WASI } = await import("node:wasi");
  const wasi = new WASI({ version: "preview1" });
  const memory = new WebAssembly.Memory({ initial: 1 });
  wasi.initialize({ exports: { memory } });
  const poll = wasi.wasiImport["poll_oneoff"] as PollOneoff;
  const view = new DataView(memory.buffer);
  view.setUint8(8, FD_WRITE);
  view.setUint32(16, STANDARD_OUTPUT, true);
  view.setUint32(CLOCK_AT + 16, CLOCK_MONOTONIC, true);
  view.setBigUint64(CLOCK_AT + 24, MOST_NS, true);
  return () => {
    if (poll(0, EVENTS_AT, 2, EVENT_COUNT_AT) !== 0) return false;
    const count = view.getUint32(EVENT_COUNT_AT, true);
    for (let at = EVENTS_AT; at < EVENTS_AT + 32 * count; at += 32) {
      const error = view.getUint16(at + 8, true);
      const isHangUp = view.getUint16(at + 24, true) !== 0;
      if (view.getUint8(at + 10) === FD_WRITE && (error !== 0 || isHangUp)) return true;
    }
    return false;
  };
}
