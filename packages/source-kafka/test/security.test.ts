import { AclOperations, AclPermissionTypes, Admin, ResourcePatternTypes, ResourceTypes } from "@platformatic/kafka";
import { type KafkaLogOptions, logUrl, openKafkaLog } from "@tidemark/source-kafka";
import { launchOrSkip } from "@tidemark/test-support/servers";
import { describe, expect, it, onTestFinished } from "vitest";
import { brokersOf, fetchFrom, makeTopic, openLog, readAll, texts, textsOf } from "./fixtures/kafka-test-client.ts";

describe("a broker that wants TLS and credentials", () => {
  it("is spoken to with both, and refuses what is wrong with a message that says what and holds no secret", async ({
    skip,
  }) => {
    const server = await launchOrSkip("kafka-secure", skip);
    onTestFinished(() => server.stop());
    if (server.kafka === undefined) throw new TypeError("the server tells no credentials");
    const { ca, admin, reader } = server.kafka;
    const brokers = brokersOf(server);
    const refusal = async (options: Partial<KafkaLogOptions>) => {
      const error: unknown = await openKafkaLog({ brokers, timeout: 10_000, ...options }).catch((e: unknown) => e);
      expect(`${String(error)} ${JSON.stringify(error)}`).not.toContain("secret");
      return error;
    };

    const tls = { ca };
    const log = await openLog(server, { tls, sasl: { mechanism: "SCRAM-SHA-256", ...admin } });
    const topic = await makeTopic(log);
    await log.producer.produce(topic, 0, texts("a"));
    expect(textsOf(await readAll(log, topic))).toEqual(["a"]);
    const plain = await openLog(server, { tls, sasl: { mechanism: "PLAIN", ...admin } });
    expect(await plain.partitions(topic)).toEqual([0]);

    for (const mechanism of ["PLAIN", "SCRAM-SHA-256"] as const) {
      expect(await refusal({ tls, sasl: { mechanism, ...admin, password: "another secret" } })).toMatchObject({
        code: "PERMISSION_DENIED",
        retryable: false,
      });
    }
    expect(await refusal({ tls, sasl: { mechanism: "SCRAM-SHA-512", ...admin } })).toMatchObject({
      code: "PERMISSION_DENIED",
    });
    expect(await refusal({ tls: true, sasl: { mechanism: "PLAIN", ...admin } })).toMatchObject({
      code: "UNAVAILABLE",
      retryable: false,
      message: expect.stringMatching(/certificate|self.signed/i) as unknown,
    });
    for (const options of [{}, { sasl: { mechanism: "PLAIN", ...admin } as const }]) {
      expect(await refusal(options)).toMatchObject({ code: "UNAVAILABLE", retryable: false });
    }
    const wrong = `kafka://admin:another%20secret@${brokers[0] ?? ""}?tls=true`;
    await expect(logUrl.open(wrong)).rejects.toMatchObject({ code: "UNAVAILABLE" });

    const sasl = { mechanism: "SCRAM-SHA-256", ...reader } as const;
    const guest = await openLog(server, { tls, sasl });
    // To whom may not see a topic Kafka does not say whether it is there.
    await expect(fetchFrom(guest, topic)).rejects.toMatchObject({ code: "PERMISSION_DENIED", topic });
    await allowToRead(brokers, { tls, sasl: { mechanism: "PLAIN", ...admin } }, reader.username, topic);
    await expect.poll(() => guest.partitions(topic).catch(() => [])).toEqual([0]);
    expect(textsOf((await fetchFrom(guest, topic)).records)).toEqual(["a"]);
    await expect(guest.producer.produce(topic, 0, texts("b"))).rejects.toMatchObject({ code: "PERMISSION_DENIED" });
    // A consumer asks this at its start; not to see the settings must not keep it from reading.
    expect(await guest.admin?.describeTopic(topic)).toEqual({ name: topic, internal: false, partitions: 1 });
  });
});

async function allowToRead(
  brokers: string[],
  access: Pick<KafkaLogOptions, "sasl"> & { readonly tls: { readonly ca: string } },
  user: string,
  topic: string,
): Promise<void> {
  const { tls, sasl } = access;
  const admin = new Admin({ clientId: "tidemark-test", bootstrapBrokers: brokers, tls, ...(sasl && { sasl }) });
  await admin.createAcls({
    creations: [
      {
        resourceType: ResourceTypes.TOPIC,
        resourceName: topic,
        resourcePatternType: ResourcePatternTypes.LITERAL,
        principal: `User:${user}`,
        host: "*",
        operation: AclOperations.READ,
        permissionType: AclPermissionTypes.ALLOW,
      },
    ],
  });
  await admin.close();
}
