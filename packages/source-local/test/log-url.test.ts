import { access } from "node:fs/promises";
import { join } from "node:path";
import { logUrl } from "@tidemark/source-local";
import { describe, expect, it } from "vitest";
import { parseLocalLogUrl } from "../src/log-url.ts";
import { temporaryFolder } from "./fixtures/log-folder.ts";

describe("a local log's URL", () => {
  it("names a file, relative or absolute", () => {
    expect(parseLocalLogUrl("local:log.db")).toEqual({ file: "log.db" });
    expect(parseLocalLogUrl("local:./a/log.db")).toEqual({ file: "./a/log.db" });
    expect(parseLocalLogUrl("local:/var/log.db")).toEqual({ file: "/var/log.db" });
    expect(parseLocalLogUrl("local:///var/my%20log.db")).toEqual({ file: "/var/my log.db" });
    expect(parseLocalLogUrl("local:100%.db")).toEqual({ file: "100%.db" });
    expect(parseLocalLogUrl("local:log.db?synchronous=normal")).toEqual({ file: "log.db", synchronous: "normal" });
  });

  it.each([
    "local:",
    "local:?synchronous=full",
    "local://host/log.db",
    "sqlite:log.db",
    "local:a?sync=full",
    "local:a?synchronous=off",
  ])("refuses %s", async (url) => {
    await expect(logUrl.open(url)).rejects.toThrow(TypeError);
  });

  it("opens the log", async () => {
    const folder = await temporaryFolder();
    const log = await logUrl.open(`local:${join(folder, "log.db")}`);
    expect(log.name).toBe("local");
    await log.close();
    await access(join(folder, "log.db"));
    expect(logUrl.schemes).toEqual(["local"]);
  });
});
