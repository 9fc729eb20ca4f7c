import { type KafkaPasswordOptions, logUrl, openKafkaLog } from "@tidemark/source-kafka";
import { describeWithServer } from "@tidemark/test-support/servers";
import { describe, expect, it, vi } from "vitest";
import { parseKafkaLogUrl } from "../src/log-url.ts";
import { readSecuritySettings } from "../src/security-settings.ts";

describe("a Kafka log's URL", () => {
  it.each([
    "kafka:",
    "kafka://",
    "kafka:host:9092",
    "kafka:///topic",
    "kafka://host:9092/topic",
    "kafka://host:port",
    "kafka://host:9092?topic=a",
    "kafka://host:9092?tls=yes",
    "kafka://host:9092?sasl=gssapi&username=a",
    "kafka://host:9092?sasl=plain",
    "kafka://host:9092?isolation=dirty",
    "kafka://host:99999",
    "kafka://%zz:secret@host:9092",
    "kafka://host:9092?sasl=plain&username=somebody",
  ])("%s is refused before any I/O", async (url) => {
    const error: unknown = await logUrl.open(url).catch((e: unknown) => e);
    expect(error instanceof TypeError || error instanceof RangeError, String(error)).toBe(true);
    expect(String(error)).not.toContain("secret");
  });

  it.each([
    ["a:b:c", "a:b:c"],
    ["a%3Ab", "a:b"],
    ["", ""],
  ])("takes all after the first colon for the password: %s", (written, password) => {
    expect(parseKafkaLogUrl(`kafka://me:${written}@host`).sasl).toMatchObject({ username: "me", password });
  });

  it.each([
    ["from env\r\n", "from env"],
    [" \n", " "],
  ])("takes the password from the environment, without the line break of its file: %j", async (given, password) => {
    vi.stubEnv("TIDEMARK_KAFKA_PASSWORD", given);
    expect(parseKafkaLogUrl("kafka://host?username=me").sasl).toMatchObject({ username: "me", password });
    const settings = await readSecuritySettings({ sasl: "plain", username: "me" }, ".");
    expect(settings.sasl).toMatchObject({ username: "me", password });
  });

  it.each(["", "\n"])("takes an empty variable for none: %j", (given) => {
    vi.stubEnv("TIDEMARK_KAFKA_PASSWORD", given);
    expect(() => parseKafkaLogUrl("kafka://host?username=me")).toThrow(/set TIDEMARK_KAFKA_PASSWORD/);
  });

  it("never shows a password", async () => {
    const error: unknown = await logUrl.open("kafka://me:s3cr3t@127.0.0.1:1?sasl=plain").catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "UNAVAILABLE" });
    expect(JSON.stringify(error) + String(error) + (error as Error).stack).not.toContain("s3cr3t");
  });
});

describe("options", () => {
  it.each([
    { brokers: [] },
    { brokers: "host:9092" as unknown as string[] },
    { brokers: ["host:0"] },
    { brokers: [7 as unknown as string] },
    { brokers: ["user:secret@host:9092"] },
    { brokers: ["host"], timeout: 0 },
    { brokers: ["host"], connectTimeout: Number.NaN },
    { brokers: ["host"], clientId: "" },
    { brokers: ["host"], isolation: "none" as "read_committed" },
    { brokers: ["host"], tls: "yes" as unknown as boolean },
    { brokers: ["host"], sasl: {} as KafkaPasswordOptions },
    { brokers: ["host"], sasl: { mechanism: "PLAIN", username: "me" } as KafkaPasswordOptions },
    { brokers: ["host"], sasl: { mechanism: "PLAIN", username: "me", password: 7 } as unknown as KafkaPasswordOptions },
    {
      brokers: ["host"],
      sasl: { mechanism: "plain", username: "me", password: "secret" } as unknown as KafkaPasswordOptions,
    },
    {
      brokers: ["host"],
      sasl: { mechanism: "OAUTHBEARER", username: "me", password: "secret" } as unknown as KafkaPasswordOptions,
    },
  ])("%j is refused before any I/O", async (options) => {
    const error: unknown = await openKafkaLog(options).catch((e: unknown) => e);
    expect(error instanceof TypeError || error instanceof RangeError, String(error)).toBe(true);
    expect(String(error)).not.toContain("secret");
  });
});

await describeWithServer("kafka", (server) => {
  it("opens a log that owns its connections", async () => {
    const log = await logUrl.open(`${server.url}?clientId=test&isolation=read_uncommitted&tls=false`);
    expect(log.name).toBe("kafka");
    expect(await log.admin?.listTopics()).toEqual(expect.any(Array));
    await log.close();
  });

  it("finds the way from the first broker that answers", async () => {
    const log = await logUrl.open(`kafka://127.0.0.1:1,${new URL(server.url).host}/`);
    await log.close();
  });
});
