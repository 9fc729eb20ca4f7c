import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { openKafkaLog } from "@tidemark/source-kafka";
import { openRedisStore } from "@tidemark/store-redis";
import {
  describeWithServer,
  requireServer,
  serversAreRequired,
  sharedServer,
  PATIENT_KAFKA,
} from "@tidemark/test-support/servers";
import { describe, expect, it } from "vitest";
import { createWorkspace, eventually, type Workspace } from "../support/workspace.ts";

const MODULE =
  "export const policy = { name: 'mine', timestamp: () => -2, adjustOffset: (_, first) => first + 10n };\n";

const kafka = await sharedServer("kafka");
const isSkipped = "missing" in kafka && !serversAreRequired();

await describeWithServer("redis", (redis) => {
  describe.skipIf(isSkipped)("and Kafka", () => {
    async function workspaceOf(namespace = `cli-${randomUUID()}`): Promise<Workspace> {
      requireServer(kafka);
      return createWorkspace({
        TIDEMARK_LOG: kafka.url,
        TIDEMARK_STORE: redis.url,
        TIDEMARK_NAMESPACE: namespace,
      });
    }

    async function deleteRecords(topic: string, before: bigint): Promise<void> {
      requireServer(kafka);
      await using log = await openKafkaLog({ brokers: [new URL(kafka.url).host], ...PATIENT_KAFKA });
      await log.deleteRecords(topic, 0, before);
    }

    it("a consumer that is killed again and again misses nothing, and its position is never ahead of what it printed", async () => {
      await using workspace = await workspaceOf();
      const topic = `cli-${randomUUID()}`;
      await workspace.out(`topic create ${topic} --consumer-ttl 24h`);
      let total = 0;
      let printed = 0;
      for (let round = 1; round <= 3; round += 1) {
        await workspace.out(`produce ${topic}`, lines(total, total + 5_000));
        total += 5_000;
        const reader = workspace.start(["consume", topic, "-c", "c1", "--flush", "5"]);
        await reader.lines(1_000);
        reader.kill("SIGKILL");
        const numbers = (await reader.ended).stdout.split("\n").slice(0, -1).map(Number);
        const [first = -1] = numbers;
        expect(first).toBeLessThanOrEqual(printed);
        expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, index) => first + index));
        printed = Math.max(printed, first + numbers.length);
        expect(await storedOffset(workspace, "c1")).toBeLessThanOrEqual(printed);
      }
      const stored = await storedOffset(workspace, "c1");
      expect(await workspace.out(`consume ${topic} -c c1 --until-end`)).toBe(lines(stored, total));
      expect(await storedOffset(workspace, "c1")).toBe(total);
    });

    it("records are deleted past the position of a killed consumer: each policy resumes as it says, and tells what is lost", async () => {
      const namespace = `cli-${randomUUID()}`;
      await using workspace = await workspaceOf(namespace);
      const { out, run } = workspace;
      const topic = `cli-${randomUUID()}`;
      const place = `topic "${topic}" partition "0"`;
      await writeFile(join(workspace.folder, "my-policy.mjs"), MODULE);
      await out(`topic create ${topic}`);
      await out(`produce ${topic}`, lines(0, 100));
      const killed = workspace.start(["consume", topic, "-c", "killed", "--flush", "20"]);
      await killed.lines(100);
      await eventually(async () => ((await storedOffset(workspace, "killed")) === 100 ? true : undefined), "a flush");
      killed.kill("SIGKILL");
      await killed.ended;
      await out(`produce ${topic}`, lines(100, 180));
      const moment = new Date().toISOString();
      await out(`produce ${topic}`, lines(180, 200));

      // By hand: the position 100, the log from 160 to 200; 60 records are gone.
      const table: readonly (readonly [policy: string, name: string, to: number, told: string])[] = [
        ["earliest", "earliest", 160, "60 records skipped"],
        ["nearest", "nearest", 160, "60 records skipped"],
        ["latest", "latest", 200, "100 records skipped (60 gone, 40 still there)"],
        ["last-offset", "last-offset", 199, "99 records skipped (60 gone, 39 still there)"],
        [`at_timestamp:${moment}`, `at_timestamp:${moment}`, 180, "80 records skipped (60 gone, 20 still there)"],
        ["by_duration:P1D", "by_duration:P1D", 160, "60 records skipped"],
        ["./my-policy.mjs", "mine", 170, "70 records skipped (60 gone, 10 still there)"],
      ];
      // The consumer that was killed takes the first policy, and each other one stands where it stood.
      const consumers = table.map(([policy], index) => (index === 0 ? "killed" : policy));
      await using store = await openRedisStore({ url: redis.url, namespace });
      const others = [...consumers.slice(1), "none"];
      await store.reset(others.map((consumer) => ({ key: { consumer, topic, partition: 0 }, nextOffset: 100n })));
      await deleteRecords(topic, 160n);

      await Promise.all(
        table.map(async ([policy, name, to, told], index) => {
          const command = ["consume", topic, "-c", consumers[index] ?? "", "--reset-policy", policy, "--until-end"];
          expect(await run(command)).toEqual({
            code: 0,
            stdout: lines(to, 200),
            stderr: `${place}: offset 100 is older than what the log keeps; policy ${name} continues at ${to}, ${told}\n`,
          });
        }),
      );
      expect(await run(["consume", topic, "-c", "none", "--reset-policy", "none", "--until-end"])).toEqual({
        code: 1,
        stdout: "",
        stderr: expect.stringMatching(
          /^tidemark: offset 100 of topic .* partition "0" is out of range: the log has offsets from 160 to 200; reset policy none never chooses another: [^\n]*\nhelp: \S+#offset_out_of_range\n$/,
        ) as unknown,
      });

      // A reset is durable by itself: also who printed nothing after it is not told again.
      const positions = await storedOffsets(workspace);
      const expected = consumers.map((consumer) => [consumer, 200]);
      expect(positions).toEqual(Object.fromEntries([...expected, ["none", 100]]));
      await out(`produce ${topic}`, lines(200, 201));
      expect(await run(["consume", topic, "-c", "killed", "--until-end"])).toEqual({
        code: 0,
        stdout: lines(200, 201),
        stderr: "",
      });
      expect(await run(["consume", topic, "-c", "latest", "--reset-policy", "last-offset", "--until-end"])).toEqual({
        code: 0,
        stdout: lines(200, 201),
        stderr: "",
      });
    });

    it("a topic recreated and shorter: the message tells that it was, and the position goes back", async () => {
      await using workspace = await workspaceOf();
      const { out, run } = workspace;
      const topic = `cli-${randomUUID()}`;
      const place = `topic "${topic}" partition "0"`;
      await out(`topic create ${topic}`);
      await out(`produce ${topic}`, lines(0, 10));
      for (const consumer of ["c1", "c2"]) await out(`consume ${topic} -c ${consumer} --until-end`);
      // Somebody who knows nothing of these positions: with them `topic delete` would remove them.
      const elsewhere = { environment: { TIDEMARK_NAMESPACE: `cli-${randomUUID()}` } };
      expect(await run(["topic", "delete", topic], elsewhere)).toMatchObject({ code: 0 });
      await out(`topic create ${topic}`);
      await out(`produce ${topic}`, lines(100, 103));
      expect(await run(["consume", topic, "-c", "c1", "--until-end"])).toEqual({
        code: 0,
        stdout: lines(100, 103),
        stderr: `${place}: offset 10 belongs to another log: the topic was recreated; policy earliest continues at 0\n`,
      });
      expect(await run(["consume", topic, "-c", "c2", "--reset-policy", "last-offset", "--until-end"])).toEqual({
        code: 0,
        stdout: lines(102, 103),
        stderr: `${place}: offset 10 belongs to another log: the topic was recreated; policy last-offset continues at 2, the 2 records before it are not read\n`,
      });
      expect(await storedOffsets(workspace)).toEqual({ c1: 3, c2: 3 });
      expect(await run(["consume", topic, "-c", "c1", "--until-end"])).toEqual({ code: 0, stdout: "", stderr: "" });
    });
  });
});

/** The numbers from one up to another, each on a line. */
function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, index) => `${from + index}\n`).join("");
}

async function storedOffsets({ out }: Workspace): Promise<Record<string, number>> {
  const records = JSON.parse(await out("consumer list --partitions -O json")) as {
    consumer: string;
    nextOffset?: string;
  }[];
  return Object.fromEntries(records.map(({ consumer, nextOffset }) => [consumer, Number(nextOffset ?? -1)]));
}

async function storedOffset(workspace: Workspace, consumer: string): Promise<number> {
  return (await storedOffsets(workspace))[consumer] ?? -1;
}
