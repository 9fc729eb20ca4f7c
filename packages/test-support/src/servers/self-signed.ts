import { generateKeyPairSync, sign } from "node:crypto";

// The types of ASN.1 that a certificate needs, and what begins one of its own fields.
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OBJECT_IDENTIFIER = 0x06;
const UTF8_STRING = 0x0c;
const UTC_TIME = 0x17;
const SEQUENCE = 0x30;
const SET = 0x31;
const VERSION = 0xa0;

const ECDSA_WITH_SHA256 = Buffer.from([0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02]);
const COMMON_NAME = Buffer.from([0x55, 0x04, 0x03]);
const DAY_MS = 24 * 3_600_000;

/** A key, and a certificate that it signs itself, as PEM. */
export interface SelfSigned {
  readonly cert: string;
  readonly key: string;
}

/** Makes a certificate for a name, valid from yesterday to tomorrow. No tool is needed for it. */
export function makeSelfSigned(commonName: string): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = field(SEQUENCE, field(OBJECT_IDENTIFIER, ECDSA_WITH_SHA256));
  const attribute = field(SEQUENCE, field(OBJECT_IDENTIFIER, COMMON_NAME), field(UTF8_STRING, Buffer.from(commonName)));
  const name = field(SEQUENCE, field(SET, attribute));
  const body = field(
    SEQUENCE,
    field(VERSION, field(INTEGER, Buffer.from([2]))),
    field(INTEGER, Buffer.from([1])),
    algorithm,
    name,
    field(SEQUENCE, utcTime(Date.now() - DAY_MS), utcTime(Date.now() + DAY_MS)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
  );
  const signature = Buffer.concat([Buffer.from([0]), sign("sha256", body, privateKey)]);
  const certificate = field(SEQUENCE, body, algorithm, field(BIT_STRING, signature));
  const lines = certificate.toString("base64").replaceAll(/.{64}/g, "$&\n");
  return {
    cert: `-----BEGIN CERTIFICATE-----\n${lines}\n-----END CERTIFICATE-----\n`,
    key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
  };
}

function field(type: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const lengthBytes = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([type, ...lengthBytes]), content]);
}

function utcTime(milliseconds: number): Buffer {
  const [date = "", time = ""] = new Date(milliseconds).toISOString().slice(2, 19).replaceAll(/[-:]/g, "").split("T");
  return field(UTC_TIME, Buffer.from(`${date}${time}Z`));
}
