import type { ConsumerLine, PageData } from "./data.ts";
import { createConsumerView, type ConsumerView } from "./consumer-view.ts";
import { countText, spanText, visibleText } from "./format.ts";

const RETRY_MS = 2000;

const views = new Map<string, ConsumerView>();
let data: PageData | undefined;
let failure: string | undefined;

const place = byId("place");
const status = byId("status");
const failureLine = byId("failure");
const warnings = byId("warnings");
const filter = byId("filter") as HTMLInputElement;
const sum = byId("sum");
const list = byId("consumers");
const nothing = byId("nothing");

filter.addEventListener("input", () => show());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) void update();
});
setInterval(showStatus, 1000);
void keepUpdating();

async function keepUpdating(): Promise<void> {
  for (;;) {
    // A hidden page sends no requests.
    if (!document.hidden) await update();
    const waitMs = failure === undefined ? (data?.intervalMs ?? RETRY_MS) : RETRY_MS;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}

async function update(): Promise<void> {
  try {
    const response = await fetch("data/consumers");
    if (!response.ok) throw new Error(`it answered ${response.status}`);
    data = (await response.json()) as PageData;
    show();
    await Promise.all([...views.values()].map((view) => view.refresh()));
    failure = undefined;
  } catch (error) {
    failure = `The monitor cannot be reached: ${error instanceof Error ? error.message : String(error)}`;
  }
  showStatus();
}

function show(): void {
  if (data === undefined) return;
  place.textContent = data.store;
  const wanted = filter.value.trim().toLowerCase();
  const lines = data.consumers.filter((line) => matches(line, wanted));
  const names = new Set(lines.map(({ name }) => name));
  for (const [name, view] of views) {
    if (names.has(name)) continue;
    view.remove();
    views.delete(name);
  }
  let previous: Element | null = null;
  for (const line of lines) {
    const view = views.get(line.name) ?? createConsumerView(line.name);
    views.set(line.name, view);
    view.update(line, data.nowMs);
    const there: Element | null = previous === null ? list.firstElementChild : previous.nextElementSibling;
    if (there !== view.element) list.insertBefore(view.element, there);
    previous = view.element;
  }
  const total = lines.reduce((lag, line) => lag + BigInt(line.lag ?? 0), 0n);
  const partitions = lines.reduce((all, line) => all + line.partitions, 0);
  sum.textContent = `${count(lines.length, "consumer")}, ${count(partitions, "partition")}, lag ${countText(String(total))}`;
  nothing.hidden = lines.length > 0;
  nothing.textContent =
    data.consumers.length === 0 ? "No consumer has a position in this store yet." : "No consumer matches the filter.";
  warnings.hidden = data.warnings.length === 0;
  warnings.replaceChildren(
    ...data.warnings.map((warning) => {
      const item = document.createElement("li");
      item.textContent = visibleText(warning.replace(/^warning: /, ""));
      return item;
    }),
  );
}

function matches({ name, topics }: ConsumerLine, wanted: string): boolean {
  return [name, ...topics].some((text) => text.toLowerCase().includes(wanted));
}

function showStatus(): void {
  const ofStore = data?.failure === undefined ? undefined : `The store does not answer: ${data.failure}`;
  const text = failure ?? ofStore;
  failureLine.hidden = text === undefined;
  const shown = visibleText(text ?? "");
  if (failureLine.textContent !== shown) failureLine.textContent = shown;
  // By the clock of this machine both: the page may be on another.
  if (data !== undefined) status.textContent = `Seen ${spanText(data.nowMs - data.atMs + sinceAnswerMs())} ago`;
}

let answered: { readonly data: PageData; readonly atMs: number } | undefined;

function sinceAnswerMs(): number {
  if (data !== undefined && answered?.data !== data) answered = { data, atMs: performance.now() };
  return answered === undefined ? 0 : performance.now() - answered.atMs;
}

function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no ${id}`);
  return element;
}
