import { describe, expect, it } from "vitest";
import { ObjectKeys } from "../src/object-keys.ts";

const NAMES = [
  ...["orders", "a.b-c_d", "topic1", "topic10", "Topic1", "0", "x".repeat(255), "x".repeat(254)],
  ...[
    "/",
    "a/b",
    "a/",
    "/a",
    ".",
    "..",
    "...",
    ".a",
    "a.",
    "../..",
    "..".repeat(100),
    "\\",
    "%",
    "%2F",
    "!",
    "!2F",
    "!!",
  ],
  ...[
    "!_",
    "!-",
    "!_a",
    "!-a",
    "!h",
    "~",
    "\0",
    "\n",
    "\u007f",
    "é",
    "e\u0301",
    "ß",
    "🌊",
    "\ufeffa",
    "a\ufffd",
    " ",
    "a ",
  ],
  ...[
    "/".repeat(85),
    "/".repeat(86),
    "/".repeat(150),
    "/".repeat(151),
    "/".repeat(255),
    "é".repeat(127),
    "🌊".repeat(63),
  ],
  ...["offsets.json", "a/offsets.json", "__proto__", "con"],
];

describe("object keys", () => {
  const keys = new ObjectKeys("p/q", "tidemark");

  it("keep plain names readable (contract 3.7d)", () => {
    expect(keys.keyOf({ consumer: "billing", topic: "orders.v1" })).toBe("p/q/tidemark/billing/orders.v1/offsets.json");
    expect(keys.keyOf({ consumer: "a/b", topic: ".." })).toBe("p/q/tidemark/a!2Fb/!2E./offsets.json");
    expect(new ObjectKeys("", "n").keyOf({ consumer: "c", topic: "t" })).toBe("n/c/t/offsets.json");
    expect(new ObjectKeys("p/", "n").root).toBe("p/n/");
  });

  it("are distinct, lead back, and are never the folder of another", () => {
    const all = NAMES.flatMap((consumer) => NAMES.map((topic) => ({ consumer, topic })));
    const seen = new Set<string>();
    for (const name of all) {
      const key = keys.keyOf(name);
      expect(keys.groupOf(key)).toEqual(name);
      seen.add(key);
    }
    expect(seen.size).toBe(all.length);
    const folders = new Set(
      [...seen].flatMap((key) => key.split("/").map((_, at, parts) => parts.slice(0, at).join("/"))),
    );
    expect([...seen].filter((key) => folders.has(key))).toEqual([]);
  });

  it("stay within what S3 and file systems take, at the longest", () => {
    const longest = new ObjectKeys("p".repeat(170), "/".repeat(255));
    for (const name of ["/".repeat(255), "é".repeat(127), "x".repeat(255)]) {
      const key = longest.keyOf({ consumer: name, topic: name });
      expect(Buffer.byteLength(key)).toBeLessThanOrEqual(1024);
      for (const segment of key.split("/")) expect(Buffer.byteLength(segment)).toBeLessThanOrEqual(255);
      expect(key).toMatch(/^[A-Za-z0-9._!/-]+$/u);
    }
  });

  it("keep namespaces apart, the long ones too", () => {
    const namespaces = [...NAMES, `${"/".repeat(254)}a`, `${"/".repeat(254)}b`];
    const roots = namespaces.map((namespace) => new ObjectKeys("p", namespace).root);
    expect(new Set(roots).size).toBe(namespaces.length);
    for (const root of roots) expect(root).toMatch(/^p\/[A-Za-z0-9_!-][A-Za-z0-9._!-]*\/$/u);
  });

  it("find no group in what is not theirs", () => {
    for (const key of [
      ...["", "p/q/tidemark/", "p/q/tidemark/c/t", "p/q/tidemark/c/t/offsets.json/", "p/q/tidemark/c/t/other.json"],
      ...["p/q/tidemark/c//offsets.json", "p/q/tidemark/c/t/u/offsets.json", "p/q/other/c/t/offsets.json"],
      ...["p/q/tidemark/c/t!/offsets.json", "p/q/tidemark/c/t!2f/offsets.json", "p/q/tidemark/c/!6F/offsets.json"],
      ...["p/q/tidemark/c/!FF/offsets.json", "p/q/tidemark/!_YQ/c/t/offsets.json", "p/q/tidemark/!-YQ/t/offsets.json"],
      ...["p/q/tidemark/.hidden/t/offsets.json", "p/q/tidemark/é/t/offsets.json", keys.probeKey("x")],
    ]) {
      expect(keys.groupOf(key), key).toBeUndefined();
    }
  });

  it.each(["/", "//", "/a", "a//b", "a/./b", "..", "a\nb", "\ud800", "x".repeat(256), "x/".repeat(100)])(
    "refuse the prefix %j",
    (prefix) => {
      expect(() => new ObjectKeys(prefix, "n")).toThrow(TypeError);
    },
  );
});
