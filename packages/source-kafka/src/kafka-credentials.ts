/** A credential, or what is asked for it each time a connection is made: passwords and tokens change while a process runs. */
export type KafkaCredential = string | (() => string | Promise<string>);

/** Credentials by name and password. */
export interface KafkaPasswordOptions {
  /** `"PLAIN"` sends the password as it is: use it with TLS. */
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

/** How a Kafka log proves who it is (SASL). The client gets it as it is. */
export type KafkaSaslOptions = KafkaPasswordOptions | KafkaTokenOptions;
