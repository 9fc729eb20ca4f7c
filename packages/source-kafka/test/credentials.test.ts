import type { ConnectionOptions, SASLMechanismValue, SASLOptions } from "@platformatic/kafka";
import type { KafkaCredential, KafkaLogOptions, KafkaSaslOptions, KafkaTokenOptions } from "@tidemark/source-kafka";
import { expectTypeOf, test } from "vitest";

// The types are our own, so that nobody has to install the types of what the client was made with. Here they are compared.
test("the client takes what our types of credentials and TLS allow", () => {
  expectTypeOf<KafkaSaslOptions>().toExtend<SASLOptions>();
  expectTypeOf<Exclude<KafkaLogOptions["tls"], boolean | undefined>>().toEqualTypeOf<
    NonNullable<ConnectionOptions["tls"]>
  >();
});

test("our types of credentials allow what the client takes, but for GSSAPI, which it leaves to its caller", () => {
  expectTypeOf<Exclude<SASLMechanismValue, KafkaSaslOptions["mechanism"]>>().toEqualTypeOf<"GSSAPI">();
  expectTypeOf<KafkaCredential>().toEqualTypeOf<NonNullable<SASLOptions["username"]>>();
  expectTypeOf<KafkaCredential>().toEqualTypeOf<NonNullable<SASLOptions["password"]>>();
  expectTypeOf<KafkaCredential>().toEqualTypeOf<NonNullable<SASLOptions["token"]>>();
  expectTypeOf<KafkaTokenOptions["oauthBearerExtensions"]>().toEqualTypeOf<SASLOptions["oauthBearerExtensions"]>();
  // A field that is new in the client shows here: ours then has it, or leaves it out knowingly.
  expectTypeOf<keyof SASLOptions>().toEqualTypeOf<
    "mechanism" | "username" | "password" | "token" | "oauthBearerExtensions" | "authenticate" | "authBytesValidator"
  >();
});
