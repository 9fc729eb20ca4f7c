import { describe } from "vitest";
import { declareInstallation } from "./declare-installation.ts";

describe("the next release, installed by npm in an empty project", () => {
  declareInstallation("npm");
});
