import { randomUUID } from "node:crypto";
import { describeWithServer } from "@tidemark/test-support/servers";
import { expect, it } from "vitest";
import { createWorkspace } from "../support/workspace.ts";

await describeWithServer("kafka", (server) => {
  it("consumes a topic of Kafka, killed and resumed, with its position in SQLite", async () => {
    await using workspace = await createWorkspace({ TIDEMARK_LOG: server.url, TIDEMARK_STORE: "sqlite:offsets.db" });
    const topic = `cli-${randomUUID()}`;
    const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => String(from + index));
    await workspace.out(`topic create ${topic} --consumer-ttl 24h`);
    await workspace.out(`produce ${topic}`, `${numbers(0, 100).join("\n")}\n`);

    const first = workspace.start(["consume", topic, "-c", "c1", "--flush", "20"]);
    const seen = await first.lines(100);
    expect(seen).toEqual(numbers(0, 100));
    await expect
      .poll(async () => JSON.parse(await workspace.out("consumer list --partitions -O json")) as unknown)
      .toMatchObject([{ consumer: "c1", topic, partition: 0, nextOffset: "100" }]);
    first.kill("SIGKILL");
    await first.ended;

    await workspace.out(`produce ${topic}`, `${numbers(100, 150).join("\n")}\n`);
    expect((await workspace.out(`consume ${topic} -c c1 --until-end`)).trimEnd().split("\n")).toEqual(
      numbers(100, 150),
    );
    const list = await workspace.out("consumer list --partitions");
    expect(list).toMatch(new RegExp(`^c1 +${topic} +0 +150 +0 +23 hr`, "m"));

    await workspace.out(`produce ${topic}`, "a\nb\nc\n");
    expect(JSON.parse(await workspace.out("consumer list --partitions -O json"))).toMatchObject([
      { nextOffset: "150", lag: "3" },
    ]);
    expect(JSON.parse(await workspace.out("consumer describe c1 -O json"))).toMatchObject([{ lag: "3" }]);

    expect(await workspace.out(`topic describe ${topic}`)).toContain("- c1/0");
    expect(await workspace.out("topic list")).not.toContain("__tidemark");
    expect(await workspace.out("topic list --all")).toContain("__tidemark_topic_settings");
    await workspace.out(`topic delete ${topic}`);
    expect(await workspace.out("consumer list --partitions -O json")).toBe("[]\n");
    expect(await workspace.run(["consume", topic, "-c", "c1", "--until-end"])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`there is no topic "${topic}"`) as unknown,
    });
  });

  it("writes more lines at once than Kafka takes as one batch", async () => {
    await using workspace = await createWorkspace({ TIDEMARK_LOG: server.url, TIDEMARK_STORE: "sqlite:offsets.db" });
    const topic = `cli-${randomUUID()}`;
    const lines = Array.from({ length: 20_000 }, (_, number) => `${number} ${"x".repeat(200)}`);
    await workspace.out(`topic create ${topic} --retention-time none`);
    await workspace.out(`produce ${topic}`, `${lines.join("\n")}\n`);
    expect((await workspace.out(`consume ${topic} --until-end`)).trimEnd().split("\n")).toEqual(lines);
  });
});
