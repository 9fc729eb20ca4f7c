import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { launchOrSkip } from "@tidemark/test-support/servers";
import { expect, onTestFinished, test } from "vitest";
import { failureLine } from "../support/failure-line.ts";
import { createWorkspace } from "../support/workspace.ts";

test("a config file gives a Kafka log certificates beside its URL, by files beside the config file", async ({
  skip,
}) => {
  const server = await launchOrSkip("kafka-secure", skip);
  onTestFinished(() => server.stop());
  const { kafka } = server;
  if (kafka === undefined) throw new TypeError("the server tells no credentials");
  await using workspace = await createWorkspace({ TIDEMARK_STORE: "memory:" });
  const folder = join(workspace.folder, "secrets");
  await mkdir(folder);
  await writeFile(join(folder, "ca.pem"), kafka.ca);
  await writeFile(join(folder, "client.pem"), kafka.client.cert);
  await writeFile(join(folder, "client.key"), kafka.client.key);
  const config = `log: ${kafka.certificatesUrl}
logOptions:
  kafka:
    ca: ca.pem
    cert: client.pem
    key: client.key
`;
  await writeFile(join(folder, "tidemark.yaml"), config);
  const environment = { TIDEMARK_CONFIG: "secrets/tidemark.yaml" };
  const ran = await workspace.run(["topic", "create", "orders", "-O", "json"], { environment });
  expect(ran).toMatchObject({ code: 0, stderr: "" });
  // What is for Kafka is for no other log.
  const local = await workspace.run(["topic", "create", "orders", "--log", "local:a.db"], { environment });
  expect(local).toMatchObject({ code: 0 });
});

test.each([
  ["logOptions: 5", /logOptions must contain an object for each scheme/],
  ["logOptions: { kafka: secret }", /logOptions must contain an object for each scheme/],
  ["logOptions: { kafka: { caFile: secret } }", /"caFile" is not one of them/],
  ["logOptions: { kafka: { tokenCommand: secret } }", /tokenCommand .* must be a list/],
  ["logOptions: { kafka: { password: secret } }", /no username or token/],
])("%s in a config file is refused, with a message that shows no secret", async (config, message) => {
  await using workspace = await createWorkspace();
  await writeFile(join(workspace.folder, "tidemark.yaml"), `log: kafka://127.0.0.1:1\n${config}\n`);
  const finished = await workspace.run(["topic", "list"]);
  expect(finished.code).toBe(2);
  expect(failureLine(finished)).toMatch(message);
  expect(finished.stderr).not.toContain("secret");
});
