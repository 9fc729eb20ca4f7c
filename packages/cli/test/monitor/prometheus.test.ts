import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { describeWithProgram, freePorts } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { createWorkspace, eventually, numberedLines } from "../support/workspace.ts";
import { startMonitorCommand } from "./start-monitor.ts";

const PAGE = new URL("../../../../docs/monitor.md", import.meta.url);

interface Alerts {
  readonly data: {
    readonly alerts: readonly {
      readonly state: string;
      readonly labels: Readonly<Record<string, string>>;
      readonly annotations: Readonly<Record<string, string>>;
    }[];
  };
}

await describeWithProgram("prometheus", "prometheus", (prometheus) => {
  it("fires the alerts of the docs for a consumer that is behind, and for one of which the log says nothing", async () => {
    await using workspace = await createWorkspace();
    const { out, folder } = workspace;
    await out("topic create orders");
    await out("produce orders", numberedLines(1, 12_000));
    await out("consume orders -c behind -n 1");
    await out("consume orders -c ahead -n 11999");
    const unknown = ["unknown", "half"].map((consumer) => ({
      consumer,
      topic: "elsewhere",
      partition: 0,
      nextOffset: "1",
    }));
    const positions = [...unknown, { consumer: "half", topic: "orders", partition: 0, nextOffset: "11999" }];
    await out("consumer import - --execute", positions.map((position) => JSON.stringify(position)).join("\n"));
    const { url } = await startMonitorCommand(workspace, ["--interval", "200ms"]);
    const [port] = await freePorts(1);
    const rules = /```yaml rules\n([^]*?)```/.exec(await readFile(PAGE, "utf8"))?.[1] ?? "";
    // Nobody waits for ten minutes here.
    await writeFile(join(folder, "rules.yml"), rules.replaceAll(/for: \w+/g, "for: 0s"));
    const config = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: ["rules.yml"],
      scrape_configs: [{ job_name: "tidemark", static_configs: [{ targets: [new URL(url).host] }] }],
    };
    // JSON is YAML.
    await writeFile(join(folder, "prometheus.yml"), JSON.stringify(config));
    const child = spawn(
      prometheus,
      [
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=prometheus",
        `--web.listen-address=127.0.0.1:${port ?? 0}`,
        "--log.level=error",
      ],
      { cwd: folder, stdio: "ignore" },
    );
    const ended = once(child, "exit");
    try {
      const firing = async (name: string) => {
        const alerts = await eventually(async () => {
          const response = await fetch(`http://127.0.0.1:${port ?? 0}/api/v1/alerts`).catch(() => undefined);
          if (response?.ok !== true) return undefined;
          const { data } = (await response.json()) as Alerts;
          const named = data.alerts.filter(({ labels }) => labels["alertname"] === name);
          return named.some(({ state }) => state === "firing") ? named : undefined;
        }, `the alert ${name}`);
        return alerts.map(({ labels, annotations }) => [labels["consumer"], annotations["summary"]]);
      };
      expect(await firing("TidemarkLag")).toEqual([["behind", "behind has not read 12k records"]]);
      const summary = (consumer: string) =>
        `the lag of ${consumer} on 1 partitions is unknown: the log does not answer, or the topic is gone`;
      const alerts = await firing("TidemarkLagUnknown");
      expect(Object.fromEntries(alerts)).toEqual({ half: summary("half"), unknown: summary("unknown") });
    } finally {
      child.kill("SIGKILL");
      await ended;
    }
  });
});

await describeWithProgram("promtool", "prometheus", (promtool) => {
  it("finds nothing to object to in the metrics", async () => {
    await using workspace = await createWorkspace();
    await workspace.out("topic create orders");
    await workspace.out("consume orders -c billing --until-end");
    const { text } = await startMonitorCommand(workspace);
    const child = promisify(execFile)(promtool, ["check", "metrics"]);
    child.child.stdin?.end(await text("metrics"));
    expect(await child).toEqual({ stdout: "", stderr: "" });
  });
});
