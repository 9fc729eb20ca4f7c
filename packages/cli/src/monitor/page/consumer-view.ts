import type { ConsumerData, ConsumerLine, PositionLine } from "./data.ts";
import { countText, NOTHING, rateText, spanText, visibleText } from "./format.ts";
import { createLagPlot, type LagPlot } from "./lag-plot.ts";

/** More would make the page slow; the ones with most lag are shown. */
const MOST_ROWS = 1000;

const HEADINGS = [
  "Topic",
  "Partition",
  "Position",
  "Log end",
  "Lag",
  "Records/s",
  "Holder",
  "Last activity",
  "Time to live",
];
const NUMBERS = new Set(["Partition", "Position", "Log end", "Lag", "Records/s", "Last activity", "Time to live"]);

/** A consumer's line on the page, which opens to its partitions. */
export interface ConsumerView {
  readonly element: HTMLDetailsElement;
  update(line: ConsumerLine, nowMs: number): void;
  /** Asks for its partitions and shows them, if it is open. */
  refresh(): Promise<void>;
  remove(): void;
}

/** Makes the line of the consumer with this name. */
export function createConsumerView(name: string): ConsumerView {
  const element = document.createElement("details");
  element.className = "consumer";
  const summary = element.appendChild(document.createElement("summary"));
  summary.className = "line";
  const title = cell(summary, "name");
  const cells = ["Lag", "Records/s", "Members", "Partitions", "Oldest activity"].map((label) => {
    const made = cell(summary, "number");
    made.dataset["label"] = label;
    return made;
  });
  const body = element.appendChild(document.createElement("div"));
  body.className = "body";
  let parts: { readonly plot: LagPlot; readonly table: HTMLTableElement; readonly note: HTMLElement } | undefined;

  const refresh = async (): Promise<void> => {
    if (!element.open) return;
    const response = await fetch(`data/consumer?name=${encodeURIComponent(name)}`);
    // It has gone since; the next list does not have it.
    if (response.status === 404) return;
    if (!response.ok) throw new Error(`the monitor answered ${response.status}`);
    const data = (await response.json()) as ConsumerData;
    parts ??= createBody(body);
    parts.plot.update(data.history.times, data.history.lags);
    fillTable(parts.table, parts.note, data);
  };
  element.addEventListener("toggle", () => void refresh().catch(() => {}));
  return {
    element,
    update(line, nowMs) {
      setText(title, name);
      title.title = visibleText(line.topics.join(", "));
      const { lag, unknown, perSecond, members, partitions, oldestMs } = line;
      const lagText = lag === undefined ? NOTHING : countText(lag) + (unknown > 0 ? "+" : "");
      const oldest = oldestMs === undefined ? NOTHING : spanText(nowMs - oldestMs);
      const texts = [lagText, rateText(perSecond), String(members), String(partitions), oldest];
      for (const [index, text] of texts.entries()) setText(cells[index], text);
      if (cells[0] !== undefined) cells[0].title = unknown > 0 ? `not known of ${unknown} partitions` : "";
      element.classList.toggle("behind", lag !== undefined && lag !== "0");
      // There is something to read, and no process reads it.
      element.classList.toggle("unread", lag !== undefined && lag !== "0" && members === 0);
    },
    refresh,
    remove() {
      parts?.plot.remove();
      element.remove();
    },
  };
}

function createBody(body: HTMLElement): { plot: LagPlot; table: HTMLTableElement; note: HTMLElement } {
  const place = body.appendChild(document.createElement("div"));
  place.className = "plot";
  const scroll = body.appendChild(document.createElement("div"));
  scroll.className = "scroll";
  const table = scroll.appendChild(document.createElement("table"));
  const row = table.createTHead().insertRow();
  for (const heading of HEADINGS) {
    const made = row.appendChild(document.createElement("th"));
    made.textContent = heading;
    made.scope = "col";
    if (NUMBERS.has(heading)) made.className = "number";
  }
  table.createTBody();
  const note = body.appendChild(document.createElement("p"));
  note.className = "note";
  return { plot: createLagPlot(place), table, note };
}

/** Rows are used again: a page that updates must not lose what is selected in it, nor where it is scrolled to. */
function fillTable(table: HTMLTableElement, note: HTMLElement, { positions, nowMs }: ConsumerData): void {
  const shown = positions.length <= MOST_ROWS ? positions : mostBehind(positions);
  note.textContent = shown.length < positions.length ? `The ${MOST_ROWS} of ${positions.length} with most lag.` : "";
  const tbody = table.tBodies[0];
  if (tbody === undefined) return;
  while (tbody.rows.length > shown.length) tbody.deleteRow(-1);
  for (const [index, position] of shown.entries()) {
    const row = tbody.rows[index] ?? newRow(tbody);
    for (const [column, text] of textsOf(position, nowMs).entries()) setText(row.cells[column], text);
    row.classList.toggle("silent", position.isSilent === true);
  }
}

function mostBehind(positions: readonly PositionLine[]): PositionLine[] {
  const lagOf = ({ lag }: PositionLine): number => (lag === undefined ? Infinity : Number(lag));
  return positions.toSorted((one, other) => lagOf(other) - lagOf(one)).slice(0, MOST_ROWS);
}

function newRow(tbody: HTMLTableSectionElement): HTMLTableRowElement {
  const row = tbody.insertRow();
  for (const heading of HEADINGS) row.insertCell().className = NUMBERS.has(heading) ? "number" : "";
  return row;
}

function textsOf(position: PositionLine, nowMs: number): string[] {
  const { topic, partition, nextOffset, logEnd, lag, perSecond, owner, isSilent, heardAtMs, expiresAtMs } = position;
  return [
    topic,
    String(partition),
    nextOffset === undefined ? NOTHING : countText(nextOffset),
    logEnd === undefined ? NOTHING : countText(logEnd),
    lag === undefined ? NOTHING : countText(lag),
    rateText(perSecond),
    owner === undefined ? NOTHING : owner + (isSilent === true ? " (silent)" : ""),
    `${spanText(nowMs - heardAtMs)} ago`,
    expiresAtMs === undefined ? NOTHING : spanText(expiresAtMs - nowMs),
  ];
}

function cell(line: HTMLElement, className: string): HTMLElement {
  const made = line.appendChild(document.createElement("span"));
  made.className = className;
  return made;
}

/** Touches the page only where something changed. */
function setText(element: HTMLElement | undefined, given: string): void {
  const text = visibleText(given);
  if (element !== undefined && element.textContent !== text) element.textContent = text;
}
