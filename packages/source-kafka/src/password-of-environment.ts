/**
 * The password that `TIDEMARK_KAFKA_PASSWORD` gives; empty is none. A file of a secret ends with a line break, which is no part of it.
 */
export function passwordOfEnvironment(): string | undefined {
  const password = process.env["TIDEMARK_KAFKA_PASSWORD"]?.replace(/[\r\n]+$/, "");
  return password === "" ? undefined : password;
}
