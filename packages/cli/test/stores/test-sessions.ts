import { hostname } from "node:os";
import { describe, expect, test } from "vitest";
import { cells, eventually, numberedLines, untilStored, type Workspace } from "../support/workspace.ts";
import { createStoreWorkspace, type StoreFixture } from "./store-fixture.ts";

interface Position {
  readonly consumer: string;
  readonly nextOffset?: string;
  readonly ttl?: number;
}

async function positions({ out }: Workspace): Promise<Position[]> {
  return JSON.parse(await out("consumer list --partitions -O json")) as Position[];
}

async function storedOffset(workspace: Workspace): Promise<number> {
  return Number((await positions(workspace))[0]?.nextOffset ?? -1);
}

/** The list without its last column, in which each process has a name of its own. */
async function listed({ out }: Workspace): Promise<string[][]> {
  return cells(await out("consumer list --partitions"))
    .slice(1)
    .map((row) => row.slice(0, 6));
}

/** Declares the sessions that give the same output on every store. */
export function testSessions(fixture: StoreFixture): void {
  describe("a consumer", () => {
    test("goes on where it stopped, on each partition", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out, run } = workspace;
      await out("topic create t --partitions 2");
      await out("produce t", numberedLines(1, 6));
      const first = (await out("consume t -c c1 --all --until-end")).trimEnd().split("\n");
      expect(first.toSorted()).toEqual(["1", "2", "3", "4", "5", "6"]);
      await out("produce t -p 1", numberedLines(7, 9));
      expect(await run("consume t -c c1 --all --until-end".split(" "))).toEqual({
        code: 0,
        stdout: numberedLines(7, 9),
        stderr: "",
      });
      expect(await out("consume t -c c1 --all --until-end")).toBe("");
      expect(await listed(workspace)).toEqual([
        ["c1", "t", "0", "3", "0", "-"],
        ["c1", "t", "1", "6", "0", "-"],
      ]);
    });

    test("reads on by a number of records at a time, each position durable before the next if asked to", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out } = workspace;
      await out("topic create t");
      await out("produce t", numberedLines(1, 10));
      expect(await out("consume t -c c1 -n 3")).toBe("1\n2\n3\n");
      expect(await out("consume t -c c1 -n 2 --flush 0")).toBe("4\n5\n");
      expect(await storedOffset(workspace)).toBe(5);
      expect(await out("consume t -c c1 --until-end")).toBe(numberedLines(6, 10));
    });

    test("that is killed in the middle misses nothing, and its position is never ahead of what it printed", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const total = 30_000;
      await workspace.out("topic create t");
      await workspace.out("produce t", numberedLines(1, total));
      let printedUpTo = 0;
      for (let round = 1; round <= 2; round += 1) {
        const reader = workspace.start(["consume", "t", "-c", "c1", "--flush", "5"]);
        await reader.lines(round * 2500);
        reader.kill("SIGKILL");
        const lines = (await reader.ended).stdout.split("\n").slice(0, -1).map(Number);
        const first = lines[0] ?? 0;
        expect(first).toBeLessThanOrEqual(printedUpTo + 1);
        expect(lines).toEqual(Array.from({ length: lines.length }, (_, index) => first + index));
        printedUpTo = Math.max(printedUpTo, lines.at(-1) ?? 0);
        expect(await storedOffset(workspace)).toBeLessThanOrEqual(printedUpTo);
      }
      const rest = (await workspace.out("consume t -c c1 --until-end")).split("\n").slice(0, -1).map(Number);
      expect(rest[0] ?? total + 1).toBeLessThanOrEqual(printedUpTo + 1);
      expect(Math.max(printedUpTo, rest.at(-1) ?? 0)).toBe(total);
      expect(await storedOffset(workspace)).toBe(total);
    });

    test("that is superseded names the newer one, which goes on, and waits until that ends", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      await workspace.out("topic create t");
      await workspace.out("produce t", numberedLines(1, 3));
      const older = workspace.start(["consume", "t", "-c", "c1", "--flush", "50"]);
      await older.lines(3);
      await untilStored(workspace, 3);
      const newer = workspace.start(["consume", "t", "-c", "c1", "--flush", "50", "--verbose", "--takeover"]);
      await newer.said("continues at");
      await workspace.out("produce t", numberedLines(4, 6));
      await older.said(`topic "t" partition "0": taken over by "${hostname()}:${newer.pid}"; waiting until it ends`);
      expect((await newer.lines(3)).slice(-3)).toEqual(["4", "5", "6"]);
      newer.kill("SIGINT");
      expect((await newer.ended).code).toBe(0);
      expect(await storedOffset(workspace)).toBe(6);
      await workspace.out("produce t", numberedLines(7, 7));
      await older.linesEndWith(numberedLines(7, 7));
    });

    test("that is deleted while it reads says so, and begins anew", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      await workspace.out("topic create t");
      await workspace.out("produce t", numberedLines(1, 3));
      const reader = workspace.start(["consume", "t", "-c", "c1", "--flush", "20"]);
      await reader.lines(3);
      await untilStored(workspace, 3);
      expect(await workspace.out("consumer delete c1")).toBe('consumer "c1" on topic "t" partition "0" deleted\n');
      await workspace.out("produce t", numberedLines(4, 6));
      await reader.said('topic "t" partition "0": the position was deleted or has expired; starting over');
      await eventually(async () => ((await storedOffset(workspace)) === 6 ? true : undefined), "all is stored");
      expect(await reader.lines(12)).toEqual(["1", "2", "3", "4", "5", "6", "1", "2", "3", "4", "5", "6"]);
      reader.kill("SIGINT");
      expect((await reader.ended).code).toBe(0);
    });
  });

  describe("a TTL", () => {
    test("is given when consuming, is shown, and is changed without disturbing whoever reads", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out } = workspace;
      await out("topic create t");
      await out("produce t", "a\n");
      const reader = workspace.start(["consume", "t", "-c", "c1", "--flush", "50", "--ttl", "24h"]);
      await reader.lines(1);
      await eventually(async () => ((await storedOffset(workspace)) === 1 ? true : undefined), "the first flush");
      // A store whose clock goes in whole seconds rounds up: for a moment nothing of a day is gone.
      expect(await listed(workspace)).toEqual([["c1", "t", "0", "1", "0", expect.stringMatching(/^2[34] hr$/)]]);
      expect(await out("consumer set c1 --ttl 12h")).toBe(
        'consumer "c1" on topic "t" partition "0" has a TTL of 12h\n',
      );
      expect(await listed(workspace)).toEqual([["c1", "t", "0", "1", "0", expect.stringMatching(/^1[12] hr$/)]]);
      await out("produce t", "b\n");
      await reader.lines(2);
      reader.kill("SIGINT");
      expect(await reader.ended).toMatchObject({ code: 0, stdout: "a\nb\n" });
      expect(await positions(workspace)).toMatchObject([{ consumer: "c1", nextOffset: "2", ttl: 43_200_000 }]);
      expect(await out("consumer set c1 --ttl none --topic t --partition 0")).toBe(
        'consumer "c1" on topic "t" partition "0" never expires\n',
      );
      expect((await positions(workspace))[0]).not.toHaveProperty("ttl");
      expect(await workspace.run(["consumer", "set", "nobody", "--ttl", "1h"])).toEqual({
        code: 1,
        stdout: "",
        stderr: 'tidemark: consumer "nobody" has no position\n',
      });
    });

    test("that has run out leaves nothing: the list is empty, and consuming starts anew", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out, run } = workspace;
      await out("topic create t");
      await out("produce t", "a\nb\n");
      await out("consume t -c c1 --ttl 2s --until-end");
      await eventually(
        async () => ((await positions(workspace)).length === 0 ? true : undefined),
        "the position to expire",
      );
      expect((await run(["consumer", "delete", "c1"])).code).toBe(1);
      expect(await out("consume t -c c1 --until-end --start end-1")).toBe("b\n");
    });
  });

  describe("the positions", () => {
    test("are listed as table, JSON and YAML, and described", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out, run } = workspace;
      await out("topic create t --consumer-ttl 24h");
      // A store in a file is there once somebody has written to it.
      await out("consume t -c c0 --until-end");
      await out("consumer delete c0");
      expect(await run(["consumer", "list"])).toEqual({ code: 0, stdout: "", stderr: "no consumers\n" });
      expect(await out("consumer list --partitions -O json")).toBe("[]\n");
      await out("produce t", "a\nb\nc\n");
      await out("consume t -c c1 -n 2");
      const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/) as unknown;
      const position = {
        consumer: "c1",
        topic: "t",
        partition: 0,
        nextOffset: "2",
        lag: "1",
        metadata: "",
        epoch: expect.any(Number) as unknown,
        ttl: 86_400_000,
        committedAt: time,
        updatedAt: time,
        expiresAt: time,
      };
      expect(JSON.parse(await out("consumer list --partitions -O json"))).toEqual([position]);
      expect(JSON.parse(await out("consumer describe c1 -O json"))).toEqual([position]);
      expect(await out("consumer list --partitions -O yaml")).toMatch(
        /^- consumer: c1\n {2}topic: t\n {2}partition: 0\n {2}nextOffset: "2"\n {2}lag: "1"\n {2}metadata: ""\n {2}epoch: \d+\n {2}ttl: 86400000\n {2}committedAt: /,
      );
      expect(await out("consumer list --partitions")).toMatch(
        /^CONSUMER +TOPIC +PARTITION +OFFSET +LAG +TTL +OWNER *\nc1 +t +0 +2 +1 +2[34] hr +- *\n$/,
      );
      expect(await out("consumer describe c1")).toMatch(
        /^Name: c1\n\nTopic: t\nPartition: 0\nOffset: 2\nLag: 1\nTTL: 24h\nExpires: \S+ \(in 2[34] hr\)\nOwner: -\nClaimed: -\nEpoch: \d+\nCommitted: \S+\nUpdated: \S+\nReset: -\nMetadata: -\n$/,
      );
      expect(await run(["consumer", "describe", "nobody"])).toEqual({
        code: 1,
        stdout: "",
        stderr: 'tidemark: consumer "nobody" has no position\n',
      });
    });

    test("are reset, show where they were before, and go back there", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out, run } = workspace;
      await out("topic create t");
      await out("produce t", numberedLines(1, 3));
      await out("consume t -c c1 --until-end");
      await out("consumer reset c1 --to-earliest --execute");
      const [reset] = JSON.parse(await out("consumer list --partitions -O json")) as unknown[];
      expect(reset).toMatchObject({ nextOffset: "0", resetFrom: { nextOffset: "3", reason: "operator" } });
      expect(await run("consumer reset c1 --undo --execute".split(" "))).toMatchObject({
        code: 0,
        stdout: expect.stringMatching(/^t +0 +0 +3 +3 skipped +operator, \S+ \S+ ago +written$/m) as unknown,
        stderr: "1 position written\n",
      });
      const [undone] = JSON.parse(await out("consumer list --partitions -O json")) as unknown[];
      expect(undone).toMatchObject({ nextOffset: "3", resetFrom: { nextOffset: "0", reason: "operator" } });
    });

    test("are deleted by name, topic and partition; deleting nothing says so and fails", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out, run } = workspace;
      await out("topic create t1 --partitions 2");
      await out("topic create t2 --partitions 2");
      for (const name of ["c1", "c10"]) await out(`consume t1 -c ${name} --all --until-end`);
      await out("consume t2 -c c1 --all --until-end");
      expect(await out("consumer delete c1 -t t1 -p 0")).toBe('consumer "c1" on topic "t1" partition "0" deleted\n');
      expect(await out("consumer delete c1")).toBe(
        'consumer "c1" on topic "t1" partition "1" deleted\nconsumer "c1" on topic "t2" partition "0" deleted\nconsumer "c1" on topic "t2" partition "1" deleted\n',
      );
      expect(await run(["consumer", "delete", "c1"])).toEqual({
        code: 1,
        stdout: "",
        stderr: 'tidemark: nothing deleted: consumer "c1" has no position\n',
      });
      expect(await listed(workspace)).toEqual([
        ["c10", "t1", "0", "0", "0", "-"],
        ["c10", "t1", "1", "0", "0", "-"],
      ]);
    });

    test("go with their topic, and only with theirs", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out, run } = workspace;
      await out("topic create t1 --partitions 2");
      await out("topic create t10");
      await out("consume t1 -c c1 --all --until-end");
      await out("consume t1 -c c2 --until-end");
      await out("consume t10 -c c1 --until-end");
      expect(await out("topic describe t1")).toMatch(/\nConsumers:\n {2}- c1\/0\n {2}- c1\/1\n {2}- c2\/0\n$/);
      expect(await out("topic delete t1")).toBe(
        [
          'topic "t1" deleted',
          'consumer "c1" on topic "t1" partition "0" deleted',
          'consumer "c1" on topic "t1" partition "1" deleted',
          'consumer "c2" on topic "t1" partition "0" deleted',
          "",
        ].join("\n"),
      );
      expect(await listed(workspace)).toEqual([["c1", "t10", "0", "0", "0", "-"]]);
      expect((await run(["topic", "delete", "t1"])).code).toBe(1);
    });

    test("of odd names are kept apart and come back whole", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out, run } = workspace;
      const odd = "日本\n/..:%*{}";
      await out("topic create t");
      await out("produce t", "a\n");
      for (const name of [odd, "__proto__", "C1", "c1"]) {
        expect(await run(["consume", "t", "--until-end", "-c", name])).toMatchObject({ code: 0, stdout: "a\n" });
      }
      expect((await positions(workspace)).map(({ consumer }) => consumer).toSorted()).toEqual(
        ["C1", "__proto__", "c1", odd].toSorted(),
      );
      expect((await run(["consumer", "delete", odd])).stdout).toBe(
        `consumer ${JSON.stringify(odd)} on topic "t" partition "0" deleted\n`,
      );
      expect(await out("consumer delete __proto__")).toBe('consumer "__proto__" on topic "t" partition "0" deleted\n');
    });

    test("of another namespace are not seen", async () => {
      await using workspace = await createStoreWorkspace(fixture);
      const { out } = workspace;
      await out("topic create t");
      await out(`consume t -c c1 --until-end --namespace ${workspace.namespace}-other`);
      expect(await positions(workspace)).toEqual([]);
      expect(await out(`consumer delete c1 --namespace ${workspace.namespace}-other`)).toContain("deleted");
    });
  });

  test("what lies in a record's place is named, hides no other, is not written over, and can be deleted", async () => {
    await using workspace = await createStoreWorkspace(fixture);
    const { out, run, namespace, folder } = workspace;
    await out("topic create t1 --partitions 3");
    await out("topic create t2");
    await out("produce t1 --partition 0", "a\n");
    await out("consume t1 -c c1 -p 0 --until-end");
    await out("consume t2 -c c1 --until-end");
    await out("consumer import --execute --consumer c1", "t1,1,0\nt1,2,0\n");
    await fixture.corrupt({ key: { consumer: "c1", topic: "t1", partition: 0 }, namespace, folder });
    const named = /^tidemark: [^\n]*consumer "c1" on topic "t1" partition "0"[^\n]*\nhelp: \S+#corrupt_record\n$/;
    const list = await run(["consumer", "list", "--partitions"]);
    expect(cells(list.stdout).map((row) => row[1])).toEqual(["TOPIC", "t1", "t1", "t2"]);
    expect(list.stderr).toMatch(named);
    expect(list.code).toBe(1);
    const set = await run("consumer set c1 --ttl 1h".split(" "));
    expect(set).toMatchObject({ code: 1, stderr: expect.stringMatching(named) as unknown });
    expect(set.stdout.match(/topic "t[12]" partition "\d" has a TTL of 1h/g)).toHaveLength(3);
    const described = await run("topic describe t1".split(" "));
    expect(described).toMatchObject({ code: 1, stderr: expect.stringMatching(named) as unknown });
    expect(described.stdout).toContain("Consumers:\n  - c1/0\n  - c1/1\n  - c1/2\n");
    // A reset of others has nothing to do with it.
    await out("consumer reset c1 -t t1 -p 1 -p 2 --to-earliest --execute");
    for (let round = 1; round <= 2; round += 1) {
      const consumed = await run("consume t1 -c c1 -p 0 --until-end".split(" "));
      expect(consumed).toMatchObject({ code: 1, stdout: "" });
      expect(consumed.stderr).toMatch(named);
    }
    const deleted = [0, 1, 2].map((partition) => `consumer "c1" on topic "t1" partition "${partition}" deleted\n`);
    expect(await out("consumer delete c1 -t t1")).toBe(deleted.join(""));
    expect(await out("consume t1 -c c1 -p 0 --until-end")).toBe("a\n");
  });
}
