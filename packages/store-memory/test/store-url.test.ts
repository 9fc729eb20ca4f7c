import { randomUUID } from "node:crypto";
import { describe, expect, it } from "vitest";
import { storeUrl } from "../src/index.ts";

const key = { consumer: "c1", topic: "orders", partition: 0 };

describe("storeUrl", () => {
  it("opens the same data under the same name, and other data under another", async () => {
    const name = randomUUID();
    const first = await storeUrl.open(`memory:${name}`, { namespace: "n" });
    await first.reset([{ key, nextOffset: 4n }]);
    await first.close();
    const again = await storeUrl.open(`memory://${name}`, { namespace: "n", timeout: 50 });
    expect(await again.fetch([key])).toMatchObject([{ status: "found", record: { nextOffset: 4n } }]);
    const other = await storeUrl.open(`memory:${name}2`, { namespace: "n" });
    expect(await other.fetch([key])).toEqual([{ status: "absent" }]);
    expect((await storeUrl.open("memory:")).name).toBe("memory");
  });

  it.each(["memory", "memory:a?b=1", "memory:a#b", "redis:a"])("refuses %s", async (url) => {
    await expect(storeUrl.open(url)).rejects.toThrow(TypeError);
  });
});
