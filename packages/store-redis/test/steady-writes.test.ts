import { randomInt } from "node:crypto";
import type { Change, StoredEntry } from "@tidemark/core/driver";
import { describeWithServer } from "@tidemark/test-support/servers";
import { createClient } from "redis";
import { expect, it, onTestFinished } from "vitest";
import { connectionOf } from "../src/redis-connection.ts";
import { RedisDriver } from "../src/redis-driver.ts";
import { STEADY, WRITE } from "../src/scripts.ts";

const VALUES = ["{}", '{"a":"1"}', "ö\n\0", "😀", "😁", `{"metadata":"${"x".repeat(300)}"}`, ";1764000000;1"];
const LIVES = [undefined, undefined, 3_600_000, null];

await describeWithServer("redis", (server) => {
  it("writes and answers as the script that writes anything", async () => {
    const namespace = `steady-${crypto.randomUUID()}`;
    const client = await createClient({ url: server.url }).connect();
    const sent = new Map<string | undefined, number>();
    const counted = Object.create(client, {
      sendCommand: {
        value: (args: string[], options: object) => {
          sent.set(args[1], (sent.get(args[1]) ?? 0) + 1);
          return client.sendCommand(args, options);
        },
      },
    }) as typeof client;
    onTestFinished(async () => {
      const keys = await client.keys(`tidemark:{${namespace}*`);
      if (keys.length > 0) await client.del(keys);
      client.destroy();
    });
    const connection = connectionOf(counted);
    if (connection === undefined) throw new Error("a client is one");
    const driverOf = (name: string) =>
      new RedisDriver({
        connection,
        namespace: namespace + name,
        keyPrefix: "",
        wait: undefined,
        close: async () => {},
      });
    const [steady, general] = [driverOf(""), driverOf("-general")];
    const { signal } = new AbortController();
    const keys = Array.from({ length: 6 }, (_, partition) => ({ consumer: "c", topic: "t", partition }));
    const pick = <Item>(items: readonly Item[]): Item => items[randomInt(items.length)] as Item;
    let versions: (string | null)[] = keys.map(() => null);
    const seen = new Set<string>();
    for (let step = 0; step < 1_500; step += 1) {
      const version = String(step).padStart(12, "v");
      const life = pick(LIVES);
      const chosen = keys.filter(() => randomInt(3) > 0);
      if (chosen.length === 0) continue;
      const changes = chosen.map((key): Change => ({
        key,
        expected: randomInt(40) === 0 ? ["another one."] : [versions[key.partition] ?? null],
        value: randomInt(60) === 0 ? undefined : pick(VALUES),
        version,
        reclaimAfter: life,
      }));
      const [one, other] = await Promise.all([
        steady.write(changes, { signal }),
        general.write(changes, { signal, timed: true }),
      ]);
      expect(one.changes).toEqual(other.changes);
      for (const answer of one.changes ?? ["written"]) seen.add(typeof answer === "string" ? answer : "failed");
      const found = await Promise.all([steady.read(keys, { signal }), general.read(keys, { signal })]);
      const [first, second] = found.map(({ entries }) =>
        entries.map((entry) => {
          const { version: is, value } = (entry ?? {}) as Partial<StoredEntry>;
          return { version: is, value };
        }),
      );
      expect(first).toEqual(second);
      versions = (first ?? []).map(({ version: is }) => is ?? null);
    }
    expect([...seen].toSorted()).toEqual(["conflict", "skipped", "written"]);
    expect(sent.get(STEADY.sha)).toBeGreaterThan(300);
    expect(sent.get(WRITE.sha)).toBeGreaterThan(1_500);
  });
});
