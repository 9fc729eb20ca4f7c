import { expect, test } from "vitest";
import { learnSecretFields, learnSecrets, learnUrl, withoutSecrets } from "../../src/text/secrets.ts";

test.each([
  ["redis://user:hunter2@host:6379 refused", "redis://***@host:6379 refused"],
  ["mongodb://u:p%40ss@a:1,b:2/db", "mongodb://***@a:1,b:2/db"],
  ["at http://host:80/path and mail to a@b", "at http://host:80/path and mail to a@b"],
  ["s3://bucket/prefix@v2", "s3://bucket/prefix@v2"],
])("the user of a URL is left out of %s", (text, expected) => {
  expect(withoutSecrets(text)).toBe(expected);
});

test("a password is left out wherever it comes back, as typed and as decoded", () => {
  learnSecrets("--store=redis://user:corr%65ct/horse@host");
  learnSecrets("s3://bucket?secretAccessKey=batterystaple&region=x");
  expect(withoutSecrets("corr%65ct/horse, correct/horse, correct%2Fhorse, batterystaple in x")).toBe(
    "***, ***, ***, *** in x",
  );
});

test.each([
  ["redis://user:hun'ter%202@host", "hun'ter 2"],
  ['--store=mongodb://user:hun"ter3@host/db', 'hun\\"ter3'],
  ["postgres://user:hunter 4@host/db", "hunter 4"],
  ["s3://bucket?endpoint=http://host&secretAccessKey=hunter'5", "hunter'5"],
])("a password with a space or a quotation mark is left out of what quotes %s", (url, shown) => {
  learnUrl(url);
  expect(withoutSecrets(`"${shown}" is no host`)).toBe('"***" is no host');
});

test("the passwords of a config file are left out, and where they come from is not", () => {
  learnSecretFields({
    log: "kafka://me:plain 1@host:1",
    logOptions: {
      kafka: { password: "plain 2", token: "plain 3", tokenCommand: ["get", "token"], passwordFile: "plain 4" },
    },
  });
  expect(withoutSecrets("plain 1, plain 2, plain 3, plain 4, get token")).toBe("***, ***, ***, plain 4, get token");
});

test("a password that is a word of the message's own leaves the message whole", () => {
  learnSecrets("redis://:redis@host");
  learnSecrets("redis://:a@host");
  expect(withoutSecrets("run `npm install redis`")).toBe("run `npm install redis`");
});

test("a password that is a word of the command's own leaves the address of the help whole, and is hidden in a URL", () => {
  learnSecrets("redis://u:tidemark@host");
  learnSecrets("redis://u:main@host");
  const help = "help: https://github.com/tidemark-js/tidemark/blob/main/docs/errors.md#unavailable";
  expect(withoutSecrets(help)).toBe(help);
  expect(withoutSecrets("redis://u:tidemark@host refused")).toBe("redis://***@host refused");
});

test("a password that begins another leaves nothing of that one", () => {
  learnSecrets("redis://u:sesame@host");
  learnSecrets("kafka://u:sesame-S3cr3t@host");
  expect(withoutSecrets("no user has sesame-S3cr3t or sesame")).toBe("no user has *** or ***");
});
