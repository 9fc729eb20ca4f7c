/** A credential, or a function that is called for each connection: passwords and tokens change while a process runs. */
export type KafkaCredential = string | (() => string | Promise<string>);

/** Credentials by name and password. */
export interface KafkaPasswordOptions {
  /** `"PLAIN"` sends the password unencrypted: use it with TLS. */
  readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
  readonly username: KafkaCredential;
  readonly password: KafkaCredential;
}

/** Credentials by a token of OAuth 2. */
export interface KafkaTokenOptions {
  readonly mechanism: "OAUTHBEARER";
  /** The token itself, without `Bearer` before it. */
  readonly token: KafkaCredential;
  /** Further fields of the first message, for example the `logicalCluster` of a hosted broker. Default: none. */
  readonly oauthBearerExtensions?:
    | Record<string, string>
    | (() => Record<string, string> | Promise<Record<string, string>>);
}

/** How a Kafka log authenticates (SASL). */
export type KafkaSaslOptions = KafkaPasswordOptions | KafkaTokenOptions;
