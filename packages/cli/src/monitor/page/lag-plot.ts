import uPlot from "uplot";
import { shortText } from "./format.ts";

const HEIGHT = 170;

/** A consumer's lag over the last hour. */
export interface LagPlot {
  update(times: readonly number[], lags: readonly (number | null)[]): void;
  remove(): void;
}

/** Draws a plot as wide as its place, in the colours of the page, and again when either changes. */
export function createLagPlot(place: HTMLElement): LagPlot {
  let data: uPlot.AlignedData = [[], []];
  let plot: uPlot | undefined;
  const draw = (): void => {
    plot?.destroy();
    plot = new uPlot(optionsOf(place), data, place);
  };
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", draw);
  const sizes = new ResizeObserver(() => plot?.setSize({ width: place.clientWidth, height: HEIGHT }));
  sizes.observe(place);
  return {
    update(times, lags) {
      data = [[...times], [...lags]];
      if (plot === undefined) draw();
      else plot.setData(data);
    },
    remove() {
      scheme.removeEventListener("change", draw);
      sizes.disconnect();
      plot?.destroy();
    },
  };
}

function optionsOf(place: HTMLElement): uPlot.Options {
  const style = getComputedStyle(place);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const axis: uPlot.Axis = {
    stroke: colour("--quiet"),
    grid: { stroke: colour("--rule"), width: 1 },
    ticks: { stroke: colour("--rule"), width: 1 },
    font: `12px ${style.fontFamily}`,
  };
  return {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { live: true },
    cursor: { y: false },
    series: [
      { label: "Time", value: (_, time: number | null) => (time === null ? "–" : timeText(time)) },
      {
        label: "Lag",
        stroke: colour("--accent"),
        fill: colour("--accent-soft"),
        width: 2,
        value: (_, value: number | null) => (value === null ? "–" : value.toLocaleString("en")),
      },
    ],
    // From nothing up: half a lag must look like half of it.
    scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [
      { ...axis, space: 90, values: (_, times) => times.map(timeText) },
      { ...axis, size: 58, values: (_, values) => values.map(axisText) },
    ],
  };
}

const CLOCK = new Intl.DateTimeFormat("en", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  hourCycle: "h23",
});

function timeText(seconds: number): string {
  return CLOCK.format(seconds * 1000);
}

/** There is no half record. */
function axisText(value: number): string {
  return Number.isInteger(value) ? shortText(value) : "";
}
