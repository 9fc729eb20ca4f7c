import { expect, it } from "vitest";
import type { RedisCommandOptions, RedisSingleClient } from "../src/redis-client.ts";
import { connectionOf } from "../src/redis-connection.ts";

/** A client that is connected, and answers when the test says so. */
class SlowClient implements RedisSingleClient {
  readonly isOpen = true;
  isReady = true;
  readonly sent: { readonly options: RedisCommandOptions | undefined; answer(reply: unknown): void }[] = [];

  sendCommand(_args: string[], options?: RedisCommandOptions): Promise<unknown> {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    this.sent.push({ options, answer: resolve });
    return promise;
  }
}

it("sends at once what nobody takes back, but no more of it than a client can hold that answers nothing", async () => {
  const client = new SlowClient();
  const connection = connectionOf(client);
  const answers: (Promise<unknown> | undefined)[] = [];
  do answers.push(connection?.sendAtOnce?.(["PING"]));
  while (answers.at(-1) !== undefined);
  expect(answers).toHaveLength(101);
  expect(client.sent).toHaveLength(100);
  for (const { options } of client.sent) expect(options).toEqual({ typeMapping: {}, timeout: 0 });
  client.sent[7]?.answer("PONG");
  expect(await answers[7]).toBe("PONG");
  expect(connection?.sendAtOnce?.(["PING"])).toBeDefined();
  expect(connection?.sendAtOnce?.(["PING"])).toBeUndefined();
  client.sent[8]?.answer(Promise.reject(new Error("lost")));
  await expect(answers[8]).rejects.toThrow("lost");
  // What is not connected may come back after the call is over.
  client.isReady = false;
  expect(connection?.sendAtOnce?.(["PING"])).toBeUndefined();
});

it("is of a client, or of none", () => {
  expect(connectionOf(new SlowClient())?.kind).toBe("single");
  for (const none of [null, undefined, "redis://h", {}, { getMasterNode: () => undefined, sendCommand: () => 1 }]) {
    expect(connectionOf(none as never)).toBeUndefined();
  }
});
