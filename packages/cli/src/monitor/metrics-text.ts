import { metricFamilies, type MetricFamily } from "./metric-families.ts";
import type { Monitor } from "./monitor.ts";

/** Prometheus' text format has one media type for each version of it. */
export const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** So many samples are made into text at once: those of ten thousand positions would be most of the process's memory. */
const SAMPLES_AT_ONCE = 1000;

/** Writes all that is known as Prometheus reads it, a part at a time. */
export async function* metricsText(monitor: Monitor): AsyncGenerator<string, void, undefined> {
  // What is observed while it is written waits for the next time: a scrape is of one moment.
  const { observation, ...rest } = monitor.state();
  const frozen: Monitor = { ...monitor, state: () => ({ observation, ...rest }) };
  for (const family of metricFamilies) yield* familyText(family, frozen);
}

async function* familyText(family: MetricFamily, monitor: Monitor): AsyncGenerator<string, void, undefined> {
  const { Counter, Gauge, Registry } = await import("prom-client");
  const { name, help, labels } = family;
  const registry = new Registry();
  const definition = { name, help, labelNames: [...labels], registers: [registry] };
  const counter = family.type === "counter" ? new Counter(definition) : undefined;
  const gauge = counter === undefined ? new Gauge(definition) : undefined;
  let count = 0;
  let isFirst = true;
  const take = async (): Promise<string> => {
    const text = await registry.metrics();
    registry.resetMetrics();
    count = 0;
    // A family's help and type stand once above all its samples.
    const part = isFirst ? text : text.replace(/^(?:#[^\n]*\n)+/, "");
    isFirst = false;
    return part.endsWith("\n") ? part : `${part}\n`;
  };
  for (const { labels: values, value } of family.samples(monitor)) {
    counter?.inc(values, value);
    gauge?.set(values, value);
    count += 1;
    if (count === SAMPLES_AT_ONCE) yield await take();
  }
  if (count > 0) yield await take();
}
