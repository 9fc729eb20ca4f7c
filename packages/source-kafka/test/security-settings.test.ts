import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { logUrl } from "@tidemark/source-kafka";
import { launchOrSkip } from "@tidemark/test-support/servers";
import { describe, expect, it, onTestFinished } from "vitest";

type Settings = Readonly<Record<string, unknown>>;

/** A token that nobody signed, as a broker takes it that is told not to ask. */
function unsignedToken(subject: string): string {
  const now = Math.floor(Date.now() / 1_000);
  const parts = [{ alg: "none" }, { sub: subject, iat: now, exp: now + 3_600 }];
  return `${parts.map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".")}.`;
}

async function folderWith(files: Readonly<Record<string, string>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "tidemark-kafka-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return folder;
}

/** The code of the error that opening and asking for topics ends with, or the number of topics. */
async function openAndList(url: string, settings: Settings, folder: string): Promise<unknown> {
  try {
    await using log = await logUrl.open(url, { settings, folder });
    return (await log.admin?.listTopics())?.length;
  } catch (error) {
    expect(`${String(error)} ${JSON.stringify(error)}`).not.toMatch(/secret|eyJ/);
    return error instanceof Error && "code" in error ? error.code : error;
  }
}

it("settings beside the URL give certificates, passwords and tokens, from files and from a command", async ({
  skip,
}) => {
  const server = await launchOrSkip("kafka-secure", skip);
  onTestFinished(() => server.stop());
  const { kafka, url } = server;
  if (kafka === undefined) throw new TypeError("the server tells no credentials");
  const { ca, admin, client, certificatesUrl, tokensUrl } = kafka;
  const folder = await folderWith({
    "ca.pem": ca,
    "client.pem": client.cert,
    "client.key": client.key,
    password: `${admin.password}\n`,
    token: `${unsignedToken("admin")}\n`,
  });

  const certificate = { ca: "ca.pem", cert: "client.pem", key: "client.key" };
  expect(await openAndList(certificatesUrl, certificate, folder)).toBe(0);
  expect(await openAndList(certificatesUrl, { ca: "ca.pem" }, folder)).toBe("UNAVAILABLE");

  const user = { ca: "ca.pem", sasl: "scram-sha-256", username: admin.username };
  expect(await openAndList(url, { ...user, passwordFile: "password" }, folder)).toBe(0);
  expect(await openAndList(url, { ...user, password: admin.password }, folder)).toBe(0);
  expect(await openAndList(url, { ...user, password: "another secret" }, folder)).toBe("PERMISSION_DENIED");

  const authority = { ca: join(folder, "ca.pem") };
  expect(await openAndList(tokensUrl, { ...authority, token: unsignedToken("admin") }, folder)).toBe(0);
  expect(await openAndList(tokensUrl, { ...authority, sasl: "oauthbearer", tokenFile: "token" }, folder)).toBe(0);
  const print = "process.stdout.write(require('node:fs').readFileSync('token'))";
  expect(await openAndList(tokensUrl, { ...authority, tokenCommand: [process.execPath, "-e", print] }, folder)).toBe(0);
  expect(await openAndList(tokensUrl, { ...authority, token: "no token" }, folder)).toBe("PERMISSION_DENIED");
  const fail = ["-e", "console.error('log in first'); process.exit(3)"];
  const failed = logUrl.open(tokensUrl, { settings: { ...authority, tokenCommand: [process.execPath, ...fail] } });
  await expect(failed).rejects.toMatchObject({
    code: "PERMISSION_DENIED",
    message: expect.stringMatching(/token command .* failed \(3\): log in first/) as unknown,
  });
});

describe("settings beside a Kafka log's URL", () => {
  it.each<[string, Settings, RegExp]>([
    ["an unknown name", { caFile: "ca.pem" }, /"caFile" is not one of them/],
    ["a number", { ca: 5 }, /ca .* must be a string/],
    ["an empty text", { password: "" }, /password .* must be a string/],
    ["a certificate without its key", { cert: "client.pem" }, /cert and key .* go together/],
    ["a file that is not there", { ca: "nowhere.pem" }, /ca .* cannot be read \(ENOENT\): "nowhere.pem"/],
    ["certificates without TLS", { tls: false, ca: "ca.pem" }, /tls: false/],
    ["an unknown mechanism", { sasl: "gssapi", username: "a", password: "b" }, /must be one of PLAIN/],
    ["a user without a password", { username: "a" }, /password, passwordFile or TIDEMARK_KAFKA_PASSWORD/],
    ["a password without a user", { password: "secret" }, /no username or token/],
    ["two tokens", { token: "secret", tokenFile: "token" }, /both token and tokenFile/],
    ["a token and a user", { token: "secret", username: "a" }, /a username or password beside it/],
    ["a token for another mechanism", { token: "secret", sasl: "plain", username: "a" }, /sasl is not oauthbearer/],
    ["a command as one text", { tokenCommand: "get-token --secret" }, /must be a list/],
    ["extensions of numbers", { token: "secret", extensions: { a: 1 } }, /an object of strings/],
  ])("%s is a TypeError before any connection, and shows no secret", async (_what, settings, message) => {
    const error: unknown = await logUrl.open("kafka://127.0.0.1:1", { settings }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toMatch(message);
    expect(String(error)).not.toContain("secret");
  });

  it("are said in one place: not in the URL too", async () => {
    for (const [url, settings] of [
      ["kafka://127.0.0.1:1?tls=true", { tls: true }],
      ["kafka://me:secret@127.0.0.1:1", { username: "me", password: "secret" }],
    ] as const) {
      await expect(logUrl.open(url, { settings })).rejects.toThrow(/URL and its settings both set (tls|sasl)/);
    }
  });
});
