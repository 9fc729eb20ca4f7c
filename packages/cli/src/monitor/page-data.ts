import { withoutSecrets } from "../text/secrets.ts";
import type { ConsumerData, ConsumerLine, PageData, PositionLine } from "./page/data.ts";
import { oldestHeardAtMs, totalLag, type Monitor } from "./monitor.ts";
import { lagOf, type ObservedConsumer, type ObservedPosition } from "./observe.ts";

/** All consumers, a line for each. */
export function pageData(monitor: Monitor, store: string): PageData {
  const { observation, failure } = monitor.state();
  return {
    atMs: observation.atMs,
    nowMs: Date.now(),
    intervalMs: monitor.intervalMs,
    store,
    ...(failure !== undefined && { failure: withoutSecrets(failure) }),
    warnings: observation.warnings.map(withoutSecrets),
    consumers: observation.consumers.map((each) => consumerLine(monitor, each)),
  };
}

/** One consumer; `undefined` where there is none of that name. */
export function consumerData(monitor: Monitor, name: string): ConsumerData | undefined {
  const found = monitor.state().observation.consumers.find((each) => each.name === name);
  if (found === undefined) return undefined;
  return {
    nowMs: Date.now(),
    history: monitor.historyOf(name),
    positions: found.positions.map((position) => positionLine(monitor, name, position)),
  };
}

function consumerLine(monitor: Monitor, consumer: ObservedConsumer): ConsumerLine {
  const { name, positions, members } = consumer;
  const lag = totalLag(consumer);
  const oldestMs = oldestHeardAtMs(consumer);
  const rates = positions.flatMap(({ topic, partition }) => monitor.rateOf(name, topic, partition) ?? []);
  return {
    name,
    topics: [...new Set(positions.map(({ topic }) => topic))],
    partitions: positions.length,
    ...(lag !== undefined && { lag: String(lag) }),
    unknown: positions.filter((position) => lagOf(position) === undefined).length,
    ...(rates.length > 0 && { perSecond: rates.reduce((sum, rate) => sum + rate, 0) }),
    members,
    ...(oldestMs !== undefined && { oldestMs }),
  };
}

function positionLine(monitor: Monitor, consumer: string, position: ObservedPosition): PositionLine {
  const { topic, partition, nextOffset, logEnd, owner, isLiving, heardAtMs, expiresAtMs } = position;
  const lag = lagOf(position);
  const perSecond = monitor.rateOf(consumer, topic, partition);
  return {
    topic,
    partition,
    ...(nextOffset !== undefined && { nextOffset: String(nextOffset) }),
    ...(logEnd !== undefined && { logEnd: String(logEnd) }),
    ...(lag !== undefined && { lag: String(lag) }),
    ...(perSecond !== undefined && { perSecond }),
    ...(owner !== undefined && { owner }),
    ...(isLiving === false && { isSilent: true }),
    heardAtMs,
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  };
}
