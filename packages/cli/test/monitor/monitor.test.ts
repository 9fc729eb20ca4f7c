import { readFile } from "node:fs/promises";
import { request } from "node:http";
import { hostname } from "node:os";
import parsePrometheus from "parse-prometheus-text-format";
import { expect, test } from "vitest";
import { installStoreWith } from "../support/install-package.ts";
import { createWorkspace, eventually, numberedLines } from "../support/workspace.ts";
import { fillStore } from "./fill-store.ts";
import { startMonitorCommand } from "./start-monitor.ts";

// Of the 150 MB in all, Node itself has 85 where it has no types to strip, as in what is published.
const MOST_KIB_MORE = 65_000;

test("/metrics tells position, end, lag, holder and times of each position, and sums, as a third party's parser reads it", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create orders --partitions 2");
  await out("produce orders", numberedLines(1, 10));
  await out("consume orders -c billing -p 0 -n 3 --ttl 24h");
  await workspace.run(["consume", "orders", "-c", 'o"d\\d\nname', "--all", "--until-end"]);
  const reader = workspace.start(["consume", "orders", "-c", "reader", "--flush", "0"]);
  await reader.lines(5);
  const before = Date.now() / 1000;
  const { text, command } = await startMonitorCommand(workspace);
  const metrics = new Map(parsePrometheus(await text("metrics")).map(({ name, metrics: samples }) => [name, samples]));
  const of = (name: string, labels: Readonly<Record<string, string>>): number => {
    const found = metrics.get(name)?.filter((sample) => isOf(sample.labels ?? {}, labels));
    expect(found, name).toHaveLength(1);
    return Number(found?.[0]?.value);
  };
  const billing = { consumer: "billing", topic: "orders", partition: "0" };
  expect(of("tidemark_position_offset", billing)).toBe(3);
  expect(of("tidemark_log_end_offset", { topic: "orders", partition: "0" })).toBe(5);
  expect(of("tidemark_position_lag_records", billing)).toBe(2);
  expect(of("tidemark_position_expiry_timestamp_seconds", billing)).toBeGreaterThan(before + 86_000);
  expect(of("tidemark_position_activity_timestamp_seconds", billing)).toBeGreaterThan(before - 100);
  const ofReader = { consumer: "reader", topic: "orders", partition: "0" };
  expect(of("tidemark_position_holder", { ...ofReader, owner: `${hostname()}:${reader.pid}` })).toBe(1);
  expect(of("tidemark_consumer_members", { consumer: "reader" })).toBe(1);
  expect(of("tidemark_consumer_members", { consumer: "billing" })).toBe(0);
  expect(of("tidemark_consumer_lag_records", { consumer: "billing" })).toBe(2);
  expect(of("tidemark_consumer_partitions", { consumer: "billing" })).toBe(1);
  expect(of("tidemark_consumer_oldest_activity_timestamp_seconds", { consumer: "billing" })).toBe(
    of("tidemark_position_activity_timestamp_seconds", billing),
  );
  expect(of("tidemark_monitor_store_up", {})).toBe(1);
  // Any string is a legal name.
  const odd = metrics.get("tidemark_consumer_lag_records")?.map(({ labels }) => labels?.["consumer"]);
  expect(odd).toHaveLength(3);
  command.kill("SIGINT");
  expect(await command.ended).toMatchObject({ code: 0, stdout: "" });
});

test("a position beyond the end of its partition has no lag, and takes none from the others", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create orders --partitions 2");
  await out("produce orders --partition 1", numberedLines(1, 3));
  // As before the topic was deleted and created anew.
  await out("consumer import --execute --consumer billing", "orders,0,1000\norders,1,0\n");
  expect(JSON.parse(await out("consumer list --partitions -O json"))).toMatchObject([{ lag: "0" }, { lag: "3" }]);
  expect(JSON.parse(await out("consumer list -O json"))).toMatchObject([{ lag: "3" }]);
  const { text } = await startMonitorCommand(workspace);
  const metrics = await text("metrics");
  expect(metrics).toContain('tidemark_consumer_lag_records{consumer="billing"} 3\n');
  expect(metrics).toContain('tidemark_position_lag_records{consumer="billing",topic="orders",partition="0"} 0\n');
});

test("what its page says went wrong has no password", async () => {
  await using workspace = await createWorkspace();
  const told = `let lists = 0;
    return (...call) => { if ((lists += 1) > 1) throw new Error("cannot reach " + url); return store.list(...call); };`;
  await installStoreWith(workspace, "list", told);
  const { text } = await startMonitorCommand(workspace, ["--interval", "100ms", "--store", "foo://me:hunter2@host"]);
  const page = await eventually(async () => {
    const data = await text("data/consumers");
    return data.includes("cannot reach") ? data : undefined;
  }, "the failure");
  expect(page).toContain("cannot reach foo://***@host");
  expect(page).not.toContain("hunter2");
});

test("it follows what happens: lag, and how fast a position moves", async () => {
  await using workspace = await createWorkspace();
  const { out } = workspace;
  await out("topic create orders");
  await out("produce orders", numberedLines(1, 10));
  await out("consume orders -c billing -n 4");
  const { text } = await startMonitorCommand(workspace, ["--interval", "100ms"]);
  await out("consume orders -c billing -n 5");
  const line = await eventually(async () => {
    const { consumers } = JSON.parse(await text("data/consumers")) as {
      consumers: { lag: string; perSecond?: number }[];
    };
    return consumers[0]?.lag === "1" && (consumers[0].perSecond ?? 0) > 0 ? consumers[0] : undefined;
  }, "the lag of 1");
  expect(line.perSecond).toBeGreaterThan(0);
});

test("10,000 positions, looked at and scraped again and again, take 65 MB more than none", async () => {
  await using workspace = await createWorkspace();
  const place = await fillStore(workspace, { consumers: 10, topics: 10, partitions: 100 });
  const empty = await startMonitorCommand(workspace, ["--interval", "100ms"]);
  for (let round = 0; round < 10; round += 1) await empty.text("metrics");
  const { text, command } = await startMonitorCommand(workspace, [...place, "--interval", "100ms"]);
  for (let round = 0; round < 10; round += 1) {
    const metrics = await text("metrics");
    expect(metrics.match(/^tidemark_position_lag_records\{/gm)).toHaveLength(10_000);
    await text("data/consumers");
    await text("data/consumer?name=consumer-3");
  }
  const [least, most] = await Promise.all([peakKib(empty.command.pid), peakKib(command.pid)]);
  // Only Linux tells.
  if (least !== undefined && most !== undefined) expect(most - least).toBeLessThan(MOST_KIB_MORE);
});

test("it only reads, answers this machine only, and asks nobody else", async () => {
  await using workspace = await createWorkspace();
  const { url, text } = await startMonitorCommand(workspace);
  expect((await fetch(url, { method: "POST" })).status).toBe(405);
  expect((await fetch(`${url}nothing`)).status).toBe(404);
  expect((await fetch(`${url}data/consumer?name=nobody`)).status).toBe(404);
  expect(new URL(url).hostname).toBe("127.0.0.1");
  // What a page of elsewhere would send whose name leads to this address.
  expect(await statusWithHost(url, "evil.example")).toBe(403);
  expect(await statusWithHost(url, `localhost:${new URL(url).port}`)).toBe(200);
  expect(await text("")).not.toMatch(/(?:src|href)="(?:https?:)?\/\//);
  const { headers } = await fetch(url);
  expect(headers.get("content-security-policy")).toContain("default-src 'none'");
});

test("a port that is taken and a store that cannot be opened are one line", async () => {
  await using workspace = await createWorkspace();
  const { url } = await startMonitorCommand(workspace);
  const { port } = new URL(url);
  const second = await workspace.run(["monitor", "--port", port]);
  expect(second).toMatchObject({ code: 1, stdout: "" });
  expect(second.stderr).toMatch(new RegExp(`^tidemark: the monitor cannot listen on 127.0.0.1:${port}: [^\\n]+\\n$`));
  expect((await workspace.run(["monitor", "--port", "70000"])).code).toBe(2);
  expect((await workspace.run(["monitor", "--interval", "1ms"])).code).toBe(2);
});

async function peakKib(pid: number): Promise<number | undefined> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const [, kib] = /^VmHWM:\s*(\d+) kB/m.exec(status) ?? [];
  return kib === undefined ? undefined : Number(kib);
}

function isOf(labels: Readonly<Record<string, string>>, wanted: Readonly<Record<string, string>>): boolean {
  return Object.entries(wanted).every(([name, value]) => labels[name] === value);
}

function statusWithHost(url: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(url, { headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on("error", reject)
      .end();
  });
}
