import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { KafkaProgram } from "./find-kafka.ts";
import { freePorts } from "./free-port.ts";
import { startBroker } from "./kafka.ts";
import { ownServer } from "./own-server.ts";
import type { OwnServer } from "./server.ts";
import { makeSelfSigned } from "./self-signed.ts";
import { ServerStartError } from "./server-process.ts";
import type { ServerScope } from "./server-scope.ts";

const STORE_PASSWORD = "of-a-test-only";
const ADMIN = { username: "admin", password: "admin's secret of a test" };
const READER = { username: "reader", password: "reader's secret of a test" };

/**
 * Starts one broker that wants TLS and credentials, and lets nobody but its administrators do anything unless ACLs say so. On
 * other ports it wants a client's certificate, or a token, which it takes unsigned.
 */
export async function launchSecureKafka(program: KafkaProgram, scope: ServerScope): Promise<OwnServer> {
  const [broker = 0, controller = 0, internal = 0, certificates = 0, tokens = 0] = await freePorts(5);
  const client = makeSelfSigned("tidemark-client");
  writeFileSync(join(scope.folder, "clients.pem"), client.cert);
  const keyStore = join(program.java.inside(scope.folder), "broker.p12");
  const keytool = async (...args: string[]): Promise<string> => {
    const store = ["-keystore", keyStore, "-storetype", "PKCS12", "-storepass", STORE_PASSWORD, "-alias", "broker"];
    const run = program.java.command(scope.folder, [
      "-m",
      "java.base/sun.security.tools.keytool.Main",
      ...args,
      ...store,
    ]);
    try {
      return (await promisify(execFile)(run.command, [...run.args])).stdout;
    } catch (error) {
      throw new ServerStartError("keytool failed", error instanceof Error ? error.message : String(error));
    }
  };
  const subject = ["-dname", "CN=tidemark-test", "-ext", "san=ip:127.0.0.1,dns:localhost", "-ext", "bc:c"];
  await keytool("-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", "2", ...subject);
  const ca = await keytool("-exportcert", "-rfc");
  const plainUsers = [ADMIN, READER].map(({ username, password }) => `user_${username}="${password}"`).join(" ");
  const login = "org.apache.kafka.common.security";
  const listeners = Object.entries({ SECURE: broker, INTERNAL: internal, CERTIFICATES: certificates, TOKENS: tokens })
    .map(([listener, port]) => `${listener}://127.0.0.1:${port}`)
    .join(",");
  const node = await startBroker(0, [{ broker, controller }], program, scope, {
    properties: {
      listeners: `${listeners},CONTROLLER://127.0.0.1:${controller}`,
      "advertised.listeners": listeners,
      "inter.broker.listener.name": "INTERNAL",
      "listener.security.protocol.map":
        "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,SECURE:SASL_SSL,CERTIFICATES:SSL,TOKENS:SASL_SSL",
      "listener.name.certificates.ssl.client.auth": "required",
      "listener.name.certificates.ssl.truststore.type": "PEM",
      "listener.name.certificates.ssl.truststore.location": join(program.java.inside(scope.folder), "clients.pem"),
      "listener.name.tokens.sasl.enabled.mechanisms": "OAUTHBEARER",
      "listener.name.tokens.oauthbearer.sasl.jaas.config": `${login}.oauthbearer.OAuthBearerLoginModule required;`,
      "ssl.keystore.type": "PKCS12",
      "ssl.keystore.location": keyStore,
      "ssl.keystore.password": STORE_PASSWORD,
      // Clients have to authenticate anew on a connection that lives longer, as managed clusters want it.
      "connections.max.reauth.ms": 3_000,
      "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
      "listener.name.secure.plain.sasl.jaas.config": `${login}.plain.PlainLoginModule required ${plainUsers};`,
      "listener.name.secure.scram-sha-256.sasl.jaas.config": `${login}.scram.ScramLoginModule required;`,
      "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
      "super.users": "User:ANONYMOUS;User:admin;User:CN=tidemark-client",
    },
    format: [ADMIN, READER].flatMap(({ username, password }) => [
      "--add-scram",
      `SCRAM-SHA-256=[name=${username},password=${password}]`,
    ]),
  });
  const version = `Apache Kafka ${program.version} with TLS and SASL`;
  const { url } = node;
  const kafka = {
    ...{ ca, admin: ADMIN, reader: READER, client },
    certificatesUrl: `kafka://127.0.0.1:${certificates}`,
    tokensUrl: `kafka://127.0.0.1:${tokens}`,
  };
  return ownServer({ name: "kafka-secure", version, url, urls: [url], kafka }, scope, [node]);
}
