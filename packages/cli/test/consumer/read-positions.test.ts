import { describe, expect, test } from "vitest";
import { readPositions } from "../../src/commands/consumer/import/read-positions.ts";
import { UsageError } from "../../src/failure/usage-error.ts";

async function* bytesOf(...chunks: (string | Uint8Array)[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield typeof chunk === "string" ? Buffer.from(chunk) : chunk;
}

async function read(input: string | Uint8Array, consumer?: string) {
  return await readPositions({ input: bytesOf(input), consumer, onProgress: () => {} });
}

const good = { consumer: "c", topic: "t", partition: 0, nextOffset: "1" };
const json = (changes: object): string => JSON.stringify({ ...good, ...changes });

describe("wrong input is named with its place, and is a failure", () => {
  test.each([
    ["", /^the input has no positions$/],
    ["\n \n\r\n", /^the input has no positions$/],
    ["[]", /^the input has no positions$/],
    [
      "hello",
      /^line 1 of the input: neither a JSON document nor topic,partition,offset .*; 1 fields; nothing was written$/,
    ],
    ["{", /^line 1 of the input: .*JSON.*; nothing was written$/],
    [`${json({})}\n{"consumer":"c","top`, /^line 2 of the input: .*JSON/],
    [`${json({})}\n\n${json({})}`, /^line 3 of the input: the same consumer, topic and partition are in line 1; /],
    [`[${json({})},${json({})}]`, /^entry 2 of the input: .* are in entry 1; /],
    ["[1]", /^entry 1 of the input: a position is an object with consumer, topic, partition, nextOffset; /],
    ["[null]", /^entry 1 of the input: a position is an object/],
    [`[${json({})},`, /^the input is not JSON: /],
    [json({ ttL: 5 }), /a position has no field "ttL"/],
    ['{"__proto__":{},"consumer":"c"}', /a position has no field "__proto__"/],
    [json({ nextOffset: undefined }), /nextOffset is missing/],
    [json({ nextOffset: null }), /nextOffset must be a decimal string, not null/],
    [json({ nextOffset: "-1" }), /nextOffset must be a decimal string, not "-1"/],
    [json({ nextOffset: "1.0" }), /nextOffset must be a decimal string/],
    [json({ nextOffset: "9223372036854775808" }), /nextOffset must be from 0 to 2\^63 - 1/],
    [json({ nextOffset: "9".repeat(1_000_000) }), /nextOffset must be a decimal string, not "9{39}…/],
    [json({}).replace('"1"', "9007199254740993"), /from 2\^53 on write it as a string/],
    [json({ nextOffset: -1 }), /nextOffset must be a whole number of at least 0/],
    [json({ nextOffset: 1.5 }), /nextOffset must be a whole number/],
    [json({ partition: "0" }), /partition must be a number/],
    [json({ partition: -1 }), /partition must be a whole number from 0/],
    [json({ partition: 2 ** 31 }), /partition must be a whole number from 0 to 2147483647/],
    [json({ consumer: "" }), /consumer must not be empty/],
    [json({ topic: undefined }), /topic must be a string, not undefined/],
    [json({ topic: "é".repeat(128) }), /topic is 256 bytes long/],
    ['{"consumer":"\\ud800","topic":"t","partition":0,"nextOffset":"1"}', /consumer has an unpaired surrogate/],
    [json({ metadata: 5 }), /metadata must be a string, not number 5/],
    [json({ metadata: "x".repeat(4097) }), /metadata is 4097 bytes long/],
    [json({ metadata: null }), /metadata must be a string, not null/],
    [json({ ttl: 0 }), /ttl must be a whole number of milliseconds from 1/],
    [json({ ttl: "1h" }), /ttl must be a number/],
    [json({ ttl: 1.5 }), /ttl must be a whole number of milliseconds/],
    ["t,0,1\nt,1", /^line 2 of the input: .*; 2 fields; /],
    ["t,0,1\nt,0,2", /^line 2 of the input: the same consumer, topic and partition are in line 1/],
    ["t,0,1\n\nt,x,2", /^line 3 of the input: partition must be a whole number, not "x"/],
    ["t,0,1,", /^line 1 of the input: nextOffset must be a decimal string, not ""; /],
    ['t,0,1\n"t,1,2\n', /^line \d of the input: neither JSON nor CSV: /],
    ['t"x,0,1\n', /^line 1 of the input: neither JSON nor CSV: /],
    ["topic,partition,offset\nt,0,1\n", /^line 1 of the input: it is a header line: remove it/],
    ["GROUP,TOPIC,PARTITION,OFFSET\nc,t,0,1\n", /^line 1 of the input: it is a header line: remove it/],
    ["\nError: Executing consumer group command failed due to this\n", /^line 2 of the input: .*1 fields/],
  ])("%j", async (input, message) => {
    const fourColumns = /,.*,.*,/.test(input) && !input.startsWith("{") && !input.startsWith("[");
    const isCsv = /^\s*[^[{\s]/.test(input);
    await expect(read(input, isCsv && !fourColumns ? "c" : undefined)).rejects.toThrow(message);
  });

  test("bytes that are no UTF-8", async () => {
    const lines = Buffer.concat([Buffer.from(`${json({})}\n`), Buffer.from([0x22, 0xff, 0x22])]);
    await expect(read(lines)).rejects.toThrow("line 2 of the input is not text in UTF-8");
    await expect(read(Buffer.from(`\uFEFF${json({})}`, "utf16le"))).rejects.toThrow(
      "line 1 of the input is not text in UTF-8",
    );
  });
});

test.each([
  [json({}), "c"],
  ["t,0,1", undefined],
  ["c,t,0,1", "c"],
])("whose positions they are is said once: %j with %j", async (input, consumer) => {
  await expect(read(input, consumer)).rejects.toThrow(UsageError);
});

test("forms of the same", async () => {
  const position = { consumer: "c", topic: "t", partition: 0, nextOffset: 1n, metadata: undefined, ttl: undefined };
  for (const input of [
    json({}),
    `[${json({})}]`,
    `\n\n[\n${json({})}\n]\n`,
    json({ nextOffset: 1 }),
    "c,t,0,1",
    '"c","t","0","1"\r\n',
  ]) {
    expect(await read(input), input).toEqual([position]);
  }
  expect(await read("t,0,1", "c")).toEqual([position]);
});

test("input comes in any pieces, a character's bytes apart", async () => {
  const text = Buffer.from(`${json({ consumer: "日本" })}\n${json({ consumer: "😀" })}\n`);
  const pieces = Array.from(text, (byte) => Uint8Array.of(byte));
  const found = await readPositions({ input: bytesOf(...pieces), consumer: undefined, onProgress: () => {} });
  expect(found.map(({ consumer }) => consumer)).toEqual(["日本", "😀"]);
});
