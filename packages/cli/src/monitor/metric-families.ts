import { oldestHeardAtMs, partitionsWithoutLag, totalLag, type Monitor } from "./monitor.ts";
import { lagOf, type ObservedConsumer, type ObservedPosition } from "./observe.ts";

/** What a sample is of. */
export type Labels = Record<string, string>;

/** One value. */
export interface Sample {
  readonly labels: Labels;
  readonly value: number;
}

/** One metric, and where its values come from. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly labels: readonly string[];
  readonly type: "gauge" | "counter";
  readonly samples: (monitor: Monitor) => Iterable<Sample>;
}

const OF_POSITION = ["consumer", "topic", "partition"];

/** All metrics of `/metrics`, in that order. */
export const metricFamilies: readonly MetricFamily[] = [
  ofPositions("tidemark_position_offset", "The offset of the next record to read.", ({ nextOffset }) =>
    numberOf(nextOffset),
  ),
  ofPositions("tidemark_position_lag_records", "Records from the position to the log's end.", (position) =>
    numberOf(lagOf(position)),
  ),
  ofPositions(
    "tidemark_position_records_per_second",
    "How fast the position moves, smoothed over half a minute.",
    ({ topic, partition }, { name }, monitor) => monitor.rateOf(name, topic, partition),
  ),
  ofPositions(
    "tidemark_position_activity_timestamp_seconds",
    "When the position or its holder's heartbeat was last written.",
    ({ heardAtMs }) => heardAtMs / 1000,
  ),
  ofPositions(
    "tidemark_position_expiry_timestamp_seconds",
    "When the position expires; absent if it never does.",
    ({ expiresAtMs }) => secondsOf(expiresAtMs),
  ),
  {
    name: "tidemark_position_holder",
    help: "Who holds the position: 1, or 0 if its heartbeats have stopped.",
    labels: [...OF_POSITION, "owner"],
    type: "gauge",
    *samples(monitor) {
      for (const { name, positions } of monitor.state().observation.consumers) {
        for (const { topic, partition, owner, isLiving } of positions) {
          if (owner === undefined) continue;
          yield { labels: { ...positionLabels(name, topic, partition), owner }, value: isLiving === false ? 0 : 1 };
        }
      }
    },
  },
  {
    name: "tidemark_log_end_offset",
    help: "The offset after the partition's last record.",
    labels: ["topic", "partition"],
    type: "gauge",
    *samples(monitor) {
      const seen = new Map<string, Set<number>>();
      for (const { positions } of monitor.state().observation.consumers) {
        for (const { topic, partition, logEnd } of positions) {
          const ofTopic = seen.get(topic) ?? new Set();
          if (logEnd === undefined || ofTopic.has(partition)) continue;
          seen.set(topic, ofTopic.add(partition));
          yield { labels: { topic, partition: String(partition) }, value: Number(logEnd) };
        }
      }
    },
  },
  ofConsumers("tidemark_consumer_lag_records", "The sum of the consumer's lag.", (consumer) =>
    numberOf(totalLag(consumer)),
  ),
  ofConsumers(
    "tidemark_consumer_partitions_without_lag",
    "How many committed positions have no lag: the log did not give the partition's end.",
    partitionsWithoutLag,
  ),
  ofConsumers(
    "tidemark_consumer_oldest_activity_timestamp_seconds",
    "The oldest time of the last write or heartbeat, of the positions with something to read.",
    (consumer) => secondsOf(oldestHeardAtMs(consumer)),
  ),
  ofConsumers(
    "tidemark_consumer_members",
    "Live sessions of the consumer; without heartbeats, its distinct owners.",
    ({ members }) => members,
  ),
  ofConsumers(
    "tidemark_consumer_partitions",
    "How many positions the consumer has.",
    ({ positions }) => positions.length,
  ),
  ofMonitor("tidemark_monitor_store_up", "1, or 0 if the last listing of the store failed.", (monitor) =>
    monitor.state().failure === undefined ? 1 : 0,
  ),
  ofMonitor(
    "tidemark_monitor_observed_timestamp_seconds",
    "When the store was last listed.",
    (monitor) => monitor.state().observation.atMs / 1000,
  ),
  ofMonitor(
    "tidemark_monitor_observation_seconds",
    "How long the last listing of the store took.",
    (monitor) => monitor.state().observation.tookMs / 1000,
  ),
  {
    ...ofMonitor(
      "tidemark_monitor_listings_total",
      "How often the store has been listed.",
      (monitor) => monitor.state().listings,
    ),
    type: "counter",
  },
];

function ofPositions(
  name: string,
  help: string,
  valueOf: (position: ObservedPosition, consumer: ObservedConsumer, monitor: Monitor) => number | undefined,
): MetricFamily {
  return {
    name,
    help,
    labels: OF_POSITION,
    type: "gauge",
    *samples(monitor) {
      for (const consumer of monitor.state().observation.consumers) {
        for (const position of consumer.positions) {
          const value = valueOf(position, consumer, monitor);
          if (value === undefined) continue;
          yield { labels: positionLabels(consumer.name, position.topic, position.partition), value };
        }
      }
    },
  };
}

function ofConsumers(
  name: string,
  help: string,
  valueOf: (consumer: ObservedConsumer) => number | undefined,
): MetricFamily {
  return {
    name,
    help,
    labels: ["consumer"],
    type: "gauge",
    *samples(monitor) {
      for (const consumer of monitor.state().observation.consumers) {
        const value = valueOf(consumer);
        if (value !== undefined) yield { labels: { consumer: consumer.name }, value };
      }
    },
  };
}

function ofMonitor(name: string, help: string, valueOf: (monitor: Monitor) => number): MetricFamily {
  return { name, help, labels: [], type: "gauge", samples: (monitor) => [{ labels: {}, value: valueOf(monitor) }] };
}

function positionLabels(consumer: string, topic: string, partition: number): Labels {
  return { consumer, topic, partition: String(partition) };
}

/** Prometheus' numbers are exact up to 2^53. Lags are, as they are made before. */
function numberOf(offset: bigint | undefined): number | undefined {
  return offset === undefined ? undefined : Number(offset);
}

function secondsOf(milliseconds: number | undefined): number | undefined {
  return milliseconds === undefined ? undefined : milliseconds / 1000;
}
