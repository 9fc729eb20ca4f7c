import { describe, expect, test } from "vitest";
import { dependentsOfBreaks, plannedReleases } from "../../src/release/dependents-of-breaks.ts";

const core = { name: "core", version: "0.3.1" };
const store = { name: "store", version: "0.1.0", peerDependencies: { core: "workspace:^" } };
const command = { name: "command", version: "1.2.0", dependencies: { store: "workspace:^" } };
const alone = { name: "alone", version: "0.1.0", devDependencies: { core: "workspace:*" } };
const all = [command, store, alone, core];

function raisedBy(changesets: readonly string[], packages = all): Record<string, string> {
  return Object.fromEntries(dependentsOfBreaks(packages, plannedReleases(changesets)));
}

describe("what a break breaks is raised with it", () => {
  test("a minor before 1.0, and what depends on what depends on it", () => {
    expect(raisedBy(['---\n"core": minor\n---\n\nA break.\n'])).toEqual({ store: "minor", command: "major" });
  });

  test("what is raised far enough is left alone, and what is raised too little is not", () => {
    const changesets = ['---\n"core": minor\n"store": patch\n---\n', "---\n'command': major\n---\n"];
    expect(raisedBy(changesets)).toEqual({ store: "minor" });
  });

  test("from 1.0 on a minor breaks nothing", () => {
    const packages = [{ ...core, version: "1.0.0" }, store];
    expect(raisedBy(['---\n"core": minor\n---\n'], packages)).toEqual({});
    expect(raisedBy(['---\n"core": major\n---\n'], packages)).toEqual({ store: "minor" });
  });

  test("a repair breaks nothing, and words in a changeset's text are no release", () => {
    expect(raisedBy(['---\n"core": patch\n---\n\n"core": major\n'])).toEqual({});
    expect(raisedBy(["---\n---\n"])).toEqual({});
  });

  test("a changeset is read as YAML allows it to be written, and refused where it is not understood", () => {
    const written = [
      "core: minor ",
      "'core' : \"minor\"",
      "core: minor\r",
      "# Why.\ncore: minor",
      "store: none\ncore: minor",
    ];
    for (const head of written) {
      const ending = head.endsWith("\r") ? "\r\n" : "\n";
      const text = ["---", head.replace("\r", ""), "---", "", "A break.", ""].join(ending);
      expect(raisedBy([text]), head).toEqual({ store: "minor", command: "major" });
    }
    expect(() => raisedBy(["---\ncore: mayor\n---\n"])).toThrow('"core: mayor"');
  });
});
