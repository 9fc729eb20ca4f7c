import { createClient } from "redis";
import { vi } from "vitest";

/** Waits until the replica of a master has all that was written to it, by whomever. */
export async function untilReplicated(masterUrl: string): Promise<void> {
  const client = createClient({ url: masterUrl });
  client.on("error", () => undefined);
  await client.connect();
  try {
    await vi.waitFor(
      async () => {
        // WAIT is about what its own connection wrote last: without a write of it there is nothing to wait for.
        await client.sendCommand(["SET", "replicated", "all before this"]);
        if (Number(await client.sendCommand(["WAIT", "1", "1000"])) < 1) throw new Error("not yet replicated");
      },
      { timeout: 30_000, interval: 50 },
    );
  } finally {
    client.destroy();
  }
}
