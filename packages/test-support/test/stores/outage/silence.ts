import { expect } from "vitest";
import { type Declare, key, newToken, positioned, repeatedly, stored } from "./bench.ts";
import { expectOutage } from "./expect-outage.ts";

/** Servers that accept and never answer. */
export function defineSilence(on: Declare): void {
  for (const kind of ["a network that swallows everything", "a server that stands still"] as const) {
    on(`${kind}: every call ends within its time-out, with no answer for an outage`, async (bench) => {
      const { proxy, store, direct, server } = bench;
      const token = newToken();
      await positioned(direct, token, 5n);
      // What follows meets connections that were good.
      await repeatedly(() => store.fetch([key]));
      if (kind === "a server that stands still") {
        server.pause();
        // A process may go on for a moment after it is told to stop.
        const answers = async (): Promise<boolean> =>
          direct.fetch([key], { signal: AbortSignal.timeout(200) }).then(
            () => true,
            () => false,
          );
        while (await answers());
      } else proxy.silence();
      try {
        await expectOutage(store, token);
      } finally {
        server.resume();
        proxy.restore();
      }
      // What was sent into the silence may have arrived; nothing of it was a rewind or lost the record.
      const commit = await repeatedly(() => store.claim([{ key, token: newToken(), owner: "o" }]));
      expect(commit).toMatchObject([{ status: "claimed" }]);
    });
  }

  on("a slow network is no outage", async ({ proxy, open, direct }) => {
    await using store = await open({ through: proxy, timeout: 5_000 });
    const token = newToken();
    await positioned(direct, token, 5n);
    proxy.delay(100);
    expect(await store.commit([{ key, token, nextOffset: 6n }])).toEqual([{ status: "committed" }]);
    expect(await stored(store)).toMatchObject({ nextOffset: 6n });
  });
}
